"""The campaign: for each seed the whole bot and exchange, everything that may go wrong, and a judge at the end."""
