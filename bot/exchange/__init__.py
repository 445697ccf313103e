"""The embedded exchange: a Paradex on loopback, and a second opinion on everything the bot believes."""
