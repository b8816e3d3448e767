"""The SQL database that holds the truth, and what the other floors ask of it."""
