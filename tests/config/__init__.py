"""Whole configurations as an operator types them, and what the gateway makes of them."""
