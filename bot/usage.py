"""What `bot --help` says, without the imports that would make it slow."""

VERBS = {
    "run": "Trade until Ctrl-C: on the embedded exchange, or where the settings say.",
    "exchange": "Serve the embedded exchange on its own, for any client of the venue.",
    "orders": "List our orders, or the history of one, from recorded sessions.",
    "latency": "Measure where the time of orders goes, or read it from recorded sessions.",
    "journal": "List, show or verify recorded sessions.",
    "simulate": "Play the bot against everything that can go wrong, seed by seed, and judge.",
    "replay": "Run a recorded session again, and compare.",
    "cancel-all": "Cancel every open order of the account, whoever placed it.",
    "doctor": "Look at everything that a run needs, and say what is wrong and how to mend it.",
    "config": "Write, check or show the settings.",
}

TEXT = "\n".join(
    [
        "bot: one warm, authenticated, supervised session on the Paradex perpetuals exchange.",
        "",
        "usage: bot VERB [OPTIONS]      (bot VERB --help tells more)",
        "",
        *(f"  {verb:<12}{words}" for verb, words in VERBS.items()),
        "",
        "exit codes: 0 stopped cleanly, 1 unexpected error, 2 bad settings or arguments, 3 fatal venue or",
        "account error, 4 stopped but something is unresolved",
        "",
    ]
)
