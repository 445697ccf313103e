"""Recorded sessions, run again: through the step alone, and over the virtual network through everything."""
