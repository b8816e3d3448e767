"""How events leave: claimed, settled, held, expired."""
