"""Who may use the desk, and what they did there."""
