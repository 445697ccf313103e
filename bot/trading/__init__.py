"""Orders: what a strategy wants, what was sent, and what became of it."""
