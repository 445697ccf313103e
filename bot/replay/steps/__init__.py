"""Replay by steps: the records alone, without a network and without time."""
