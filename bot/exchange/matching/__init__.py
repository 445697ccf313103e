"""Orders, from entry to their end, and the books they rest in."""
