"""Request bodies: read, or refused in the venue's words (protocol reference 3.7)."""

from typing import TypeVar

import msgspec

from bot.exchange.errors import UNREADABLE, VenueError

T = TypeVar("T")


def read_body(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as what the decoder makes; members that it does not know are ignored.

    Raises:
        VenueError: BINDING_ERROR when it is no JSON, VALIDATION_ERROR when members are missing or of wrong types.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise VenueError("VALIDATION_ERROR", str(error)) from error
    except UNREADABLE as error:
        raise VenueError("BINDING_ERROR", f"malformed JSON: {error}") from error
