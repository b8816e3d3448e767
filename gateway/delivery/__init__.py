"""How an event gets to Lumail: once, and again while that is worth it."""
