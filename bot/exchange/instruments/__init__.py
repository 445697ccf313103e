"""What is traded here, and what it is worth."""
