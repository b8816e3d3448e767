"""What is true of a sale's money, and which events say it to Lumail."""
