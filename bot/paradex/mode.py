"""The platform's modes (protocol reference 1, "Platform modes"). They stay text: there may be new ones."""

OK = "ok"
"""The one mode in which everything is allowed. Of any other, known or not, that is not certain."""

_CODES = b"SYSTEM_STATUS_"


def tells_of_restriction(status: int, body: bytes) -> bool:
    """Whether an answer suggests that the mode is not `OK`.

    The codes ``SYSTEM_STATUS_CANCEL_ONLY`` and ``SYSTEM_STATUS_POST_ONLY`` come at any status, also for one order of
    a batch; a 503 is what maintenance looks like from outside, and a timeout of the venue's, too (reference 1).
    """
    return status == 503 or _CODES in body
