"""How events leave: every move that one makes on its way to Lumail."""
