"""What every rule says: about which market and order it is, and how often it strikes."""

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """A fault, and when it happens.

    It lets the first ``skip`` of what it fits pass, and then strikes ``times`` of it, each with ``chance``; without
    ``times`` it never ends. ``market`` and ``client_id`` narrow what it fits.
    """

    market: str | None = None
    client_id: str | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    chance: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
