"""Descriptors 0, 1 and 2: always open, so that no file or socket of ours ever gets one of these numbers.

A program that is started with ``2>&-`` would give 2 to the next file that it opens, which may be the journal; and
whatever ends up on stderr, a message of a C library or a child's, would be written in there.
"""

import os
import sys


def fill_gaps() -> None:
    """Open what is closed of stdin, stdout and stderr, on nothing."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The system takes the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - for the program's life
