"""Refusals in the venue's words (protocol reference 3.7)."""

from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoding raises for what a client wrote: no JSON, not of the type, not UTF-8, too deep."""

UNAUTHORIZED = frozenset(
    {
        "INVALID_TOKEN",
        "UNAUTHORIZED_ERROR",
        "NOT_ONBOARDED",
        "INVALID_STARKNET_SIGNATURE",
        "STARKNET_SIGNATURE_VERIFICATION_FAILED",
        "INVALID_SUBKEY",
    }
)
FORBIDDEN = frozenset(
    {
        "INVALID_TOKEN_SCOPE",
        "IP_NOT_ALLOWED",
        "GEO_IP_BLOCK",
        "RPI_ACCOUNT_NOT_WHITELISTED",
        "MMP_NOT_ENABLED",
    }
)


class VenueError(Exception):
    """A request the exchange refuses: a code of the venue's list, a sentence, and sometimes data.

    ``status`` is given only where the transport decides it (405, 413, …); otherwise it follows from the code.
    ``headers`` are those that its answer gets.
    """

    headers: tuple[tuple[str, str], ...] = ()

    def __init__(
        self, code: str, message: str, *, data: dict[str, Any] | None = None, status: int | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status_of(code) if status is None else status

    def body(self) -> dict[str, Any]:
        """``{"error", "message", "data"}`` as the venue writes it; ``data`` is null when there is none."""
        return {"error": self.code, "message": self.message, "data": self.data}


def status_of(code: str) -> int:
    """The HTTP status of an error code. Mostly undocumented: the mapping suggested in 3.7."""
    if code in UNAUTHORIZED:
        return 401
    if code in FORBIDDEN:
        return 403
    if code.endswith("NOT_FOUND"):
        return 404
    return {"SERVICE_UNAVAILABLE": 503, "INTERNAL_ERROR": 500}.get(code, 400)
