"""Measurements of this bot, each beside something that it can be compared with. `just bench` runs them."""
