"""The virtual network, and whole runs of the bot on it in virtual time."""
