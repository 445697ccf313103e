"""What is traded here, and who else trades it."""
