"""A trading bot for the Paradex perpetuals exchange. README.md, "Architecture", says which line belongs where."""
