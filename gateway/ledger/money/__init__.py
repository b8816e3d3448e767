"""The money of sales: what is true, what is told of it, and when refunds follow."""
