"""How verified webhooks enter the ledger."""
