"""A trading bot for the Paradex perpetuals exchange. The README's architecture section says which line belongs where."""
