"""How a webhook becomes a receipt."""
