"""Where a socket is, and the errors of the calls that use it."""

import os

import attrs


@attrs.frozen
class Address:
    """A numeric IP address, in its shortest form, and a port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def error(number: int) -> OSError:
    """The exception that stands for an ``errno``."""
    return OSError(number, os.strerror(number))
