"""When an event may leave: its line, the budget, leases and pauses."""
