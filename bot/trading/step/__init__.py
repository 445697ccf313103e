"""What a step of the order manager decides, and by what. Nothing here awaits, or reads the world."""
