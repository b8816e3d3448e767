"""What is known of facts: their keys and groups, what is closed or hashed, what was taught, what is handed in."""
