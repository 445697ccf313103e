"""Who else trades here, what was traded, and where prices go."""
