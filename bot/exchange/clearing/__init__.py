"""Whose money is where: positions, fees, margin, funding."""
