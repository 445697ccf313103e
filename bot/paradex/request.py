"""One REST request of the venue, and how its answer is read (protocol reference, section 3). No I/O."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import attrs
import msgspec

from bot.core.errors import RequestError
from bot.paradex import outcome
from bot.paradex.answers import UNREADABLE

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Ask:
    """What is asked of the venue, by whichever way."""

    method: str
    """Of HTTP, or of JSON-RPC."""

    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Texts in it that are never written down."""

    cause: int = 0
    """Number of the record that it is made because of; 0 for none."""

    def show(self, text: str, hidden: str) -> str:
        """``text`` with ``hidden`` in place of secrets."""
        for secret in self.secrets:
            text = text.replace(secret, hidden)
        return text


@attrs.frozen(kw_only=True)
class Request(Ask, Generic[T]):
    """One request, its path below ``/v1``, and the type that its answer has."""

    path: str
    answer: type[T]
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes | None = None
    secret_answer: bool = False
    """The answer is itself a secret: it is never written down either."""

    def shown(self, hidden: str) -> dict[str, Any]:
        """What may be written down of it: method, path, headers and body, with ``hidden`` in place of secrets."""
        shown: dict[str, Any] = {"method": self.method, "path": self.path}
        headers = {name: self.show(value, hidden) for name, value in self.headers.items()}
        if headers:
            shown["headers"] = headers
        if self.body is not None:
            shown["body"] = self.show(self.body.decode(), hidden)
        return shown

    def read(self, status: int, body: bytes) -> T:
        """Turn an answer into its value.

        Raises:
            RefusedError: the venue said no (protocol reference 3.7).
            UnknownOutcomeError: an answer that does not tell whether the venue did it.
        """
        if not 200 <= status < 300:
            raise failure(status, body)
        try:
            return msgspec.json.decode(body or b"{}", type=self.answer)
        except UNREADABLE as unreadable:
            raise outcome.of_unreadable(
                f"{self.method} {self.path}: {status} with a body that does not parse: {unreadable}"
            ) from unreadable


class _ErrorBody(msgspec.Struct):
    error: str
    message: str | None = None


def failure(status: int, body: bytes) -> RequestError:
    """What an answer means that is no success (see `bot.paradex.outcome`)."""
    try:
        answer = msgspec.json.decode(body, type=_ErrorBody)
    except UNREADABLE:
        return outcome.of_answer(status, "", "")
    return outcome.of_answer(status, answer.error, answer.message or "")


def segment(text: str) -> str:
    """``text`` as one segment of a path."""
    return quote(text, safe="")


def with_query(path: str, **parameters: str | int | None) -> str:
    """``path`` with those ``parameters`` that are not None, in the order given."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{path}?{query}" if query else path


def encode(value: Any) -> bytes:
    """``value`` as the body of a request."""
    return msgspec.json.encode(value)


def escaped(text: str) -> str:
    """``text`` as it stands in a body, without the quotes around it."""
    return encode(text)[1:-1].decode()
