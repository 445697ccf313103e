"""Where the program begins: the signals first, before anything that takes time, and open descriptors."""

from bot.signals import EarlySignals

early = EarlySignals()

from bot.descriptors import fill_gaps  # noqa: E402

fill_gaps()

import sys  # noqa: E402

from bot import usage  # noqa: E402


def main() -> int:
    """Run the verb that the command line names; returns the exit code (see `bot.usage`)."""
    if sys.platform == "win32":
        sys.stderr.write("bot runs on Linux and macOS\n")
        return 2
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"], ["help"], []):
        sys.stdout.write(usage.TEXT)
        return 0 if arguments else 2
    from bot.cli import run_verb  # noqa: PLC0415 - the help above answers without it

    code = run_verb(arguments, early)
    early.ignore()
    return code


if __name__ == "__main__":
    sys.exit(main())
