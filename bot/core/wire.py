"""What a connection tells of a request: when it left, when its answer came, and how far away the venue is."""

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Wire:
    """Times in ns since the start of the run."""

    x: int
    """The number of the exchange on the tape."""

    reused: bool
    """The connection was open already."""

    idle_ns: int
    """For so long it had not been used."""

    written_ns: int
    """The system had taken the last byte of the request."""

    first_ns: int
    """The answer was there: its first byte of one over HTTP, its last one over the WebSocket."""

    parsed_ns: int
    """It was understood."""

    opened_ns: int | None = None
    """A connection was opened for it, and was there; None where none was opened."""

    rtt_us: int | None
    """The kernel's smoothed estimate of the round trip; None where it has none."""

    def told(self) -> dict[str, Any]:
        """For the tape."""
        return attrs.asdict(self)
