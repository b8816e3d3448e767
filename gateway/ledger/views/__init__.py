"""What people and metrics see of the ledger; nothing here changes an event."""
