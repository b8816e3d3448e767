"""What a stranger on the internet can send to a running gateway."""
