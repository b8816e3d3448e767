"""How durations, counts and masked texts are written for people."""
