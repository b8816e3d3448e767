"""What is removed, when, and what is handed out of a person."""
