"""What can strike: one entry for each kind, and what it does to the stage."""
