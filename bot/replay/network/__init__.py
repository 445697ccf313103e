"""Replay on the virtual network: the whole bot against a venue that does what was recorded."""
