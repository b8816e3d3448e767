"""What the gateway costs, measured beside what any gateway must cost: `python -m benchmarks`."""
