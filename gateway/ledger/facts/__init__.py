"""What is known of a fact: its names, its repeats, and what is closed, erased or remembered."""
