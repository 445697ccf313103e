"""The session's own record: written while the bot runs, read after a crash, run again in a replay."""
