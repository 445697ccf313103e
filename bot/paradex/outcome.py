"""What the end of a request means: not sent, refused, or unknown. The table of `faults.md`, section 1; no I/O.

Whoever sees a request end, be it by an exception, an HTTP answer or a JSON-RPC error, asks here which of the three it
was. What the table does not list is unknown: the venue may have it, and nothing may be sent again because of that.
"""

import enum
import re

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError


class End(enum.Enum):
    """The ways in which a request ends, but for an answer that says yes."""

    NOT_OPENED = "no connection: DNS, TCP or TLS failed, or took too long, or none was free"
    CUT_SHORT = "an error or a deadline, once the first byte was about to leave"
    UNREADABLE = "a success that cannot be read"
    DUPLICATE = "an order of this client id is there: it was this one, sent before, or its own copy"
    MODE = "the venue is in a mode that takes no such order, at whatever status"
    REFUSAL = "a 4xx with a code of the venue's"
    OTHER_ANSWER = "any other answer: 5xx, 4xx without a code, redirects"
    ITEM_REFUSAL = "an order of a batch that was taken has an error with a code of the venue's"
    ITEM_FAILURE = "the same, and the code is none or says that the venue itself failed"
    RPC_REFUSAL = "a JSON-RPC error that says no: by its number, or by a code of the venue's"
    OTHER_RPC_ERROR = "any other JSON-RPC error, -32603 among them"


MEANING: dict[End, type[NotSentError | RefusedError | UnknownOutcomeError]] = {
    End.NOT_OPENED: NotSentError,
    End.CUT_SHORT: UnknownOutcomeError,
    End.UNREADABLE: UnknownOutcomeError,
    End.DUPLICATE: UnknownOutcomeError,
    End.MODE: RefusedError,
    End.REFUSAL: RefusedError,
    End.OTHER_ANSWER: UnknownOutcomeError,
    End.ITEM_REFUSAL: RefusedError,
    End.ITEM_FAILURE: UnknownOutcomeError,
    End.RPC_REFUSAL: RefusedError,
    End.OTHER_RPC_ERROR: UnknownOutcomeError,
}

MODE_CODES = frozenset({"SYSTEM_STATUS_CANCEL_ONLY", "SYSTEM_STATUS_POST_ONLY"})
DUPLICATE_CODE = "DUPLICATED_CLIENT_ID"
FAILURE_CODES = frozenset({"INTERNAL_ERROR", "SERVICE_UNAVAILABLE"})
"""Codes that come with a 5xx where a whole request ends with them."""

METHOD_ERROR = 100
"""A failure of the business (protocol reference 4.2). It says no if it says why, by a code that REST has, too."""

_CODE = re.compile("[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""What all codes of the venue's look like (protocol reference 3.7)."""

INVALID_PARAMS = -32602
RPC_REFUSALS = frozenset({-32600, INVALID_PARAMS, 40110, 40111, 40112, 40300, 42901})


def of_exception(words: str, *, has_begun: bool) -> RequestError:
    """No answer came. ``has_begun``: the first byte had left, or was about to."""
    return _error(End.CUT_SHORT if has_begun else End.NOT_OPENED, words)


def of_unreadable(words: str) -> RequestError:
    """The answer was a success, and nobody can tell of what."""
    return _error(End.UNREADABLE, words)


def of_answer(status: int, code: str, message: str) -> RequestError:
    """An HTTP answer that is no success. ``code`` is the venue's, empty for an answer without one."""
    if code == DUPLICATE_CODE:
        end = End.DUPLICATE
    elif code in MODE_CODES:
        end = End.MODE
    elif code and 400 <= status < 500:
        end = End.REFUSAL
    else:
        end = End.OTHER_ANSWER
    words = f"HTTP {status} {code}: {message}" if code else f"HTTP {status} without a code of the venue"
    return _error(end, words, status, code, message)


def of_item(status: int, code: str, message: str) -> RequestError:
    """One order of a batch; the batch was answered with ``status``, a success."""
    if code == DUPLICATE_CODE:
        end = End.DUPLICATE
    elif not code or code in FAILURE_CODES:
        end = End.ITEM_FAILURE
    else:
        end = End.ITEM_REFUSAL
    return _error(end, f"{code or 'an error without a code'}: {message}", status, code, message)


def of_reply(code: int, message: str, data: object = None) -> RequestError:
    """A JSON-RPC error. ``data`` may be anything; a refused order may have the code there that it has over REST."""
    named = next((text for text in (data, message) if isinstance(text, str) and _CODE.fullmatch(text)), "")
    if named == DUPLICATE_CODE:
        end = End.DUPLICATE
    elif named in MODE_CODES:
        end = End.MODE
    elif code in RPC_REFUSALS or (code == METHOD_ERROR and named and named not in FAILURE_CODES):
        end = End.RPC_REFUSAL
    else:
        end = End.OTHER_RPC_ERROR
    words = message if data is None else f"{message} ({data})".lstrip()
    return _error(end, f"{code}: {words}", code, named, words)


def is_about_form(error: RequestError | None) -> bool:
    """Whether a call's parameters are refused as such. A code of the venue's would be about what they say."""
    return isinstance(error, RefusedError) and error.status == INVALID_PARAMS and not error.code


def of_words(status: int, words: str) -> RequestError:
    """One order of a batch over the WebSocket, whose error is words; they may begin with a code of the venue's."""
    code, _, message = words.partition(": ")
    return of_item(status, code, message) if _CODE.fullmatch(code) else of_item(status, "", words)


def _error(end: End, words: str, status: int = 0, code: str = "", message: str = "") -> RequestError:
    """What ``end`` means, in ``words``; a refusal keeps its parts."""
    kind = MEANING[end]
    return RefusedError(status, code, message) if issubclass(kind, RefusedError) else kind(words)
