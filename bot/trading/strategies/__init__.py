"""What a strategy is and may do, and the strategies that there are."""
