"""What can happen to an update on its way to private channels, a class for each."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple, Protocol

import attrs
import msgspec
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.faults.garbling import UpdateHow
from bot.exchange.faults.rule import Rule, Seconds

Deliver = Callable[[], None]


class Update(NamedTuple):
    """An update of a private channel, by the channel's family; what it is not about is an empty text."""

    channel: str
    market: str = ""
    client_id: str = ""
    status: str = ""


class Parcel(Protocol):
    """An update on its way to the sockets that listen to it."""

    def deliver(self) -> None:
        """Let them hear it."""

    def garble(self, how: UpdateHow) -> None:
        """Let them hear something else instead."""

    def cut(self, code: int | None, *, torn: bool) -> None:
        """End them instead, behind what was said before; ``torn``: in the middle of the update's frame."""


@attrs.define
class Post:
    """Where updates wait: until a time, or until the next one of their channel has overtaken them."""

    agenda: Agenda
    _overtaken: list[tuple[str, Deliver]] = attrs.field(factory=list)

    @property
    def is_waiting(self) -> bool:
        """Whether any update waits to be overtaken."""
        return bool(self._overtaken)

    def later(self, seconds: float, deliver: Deliver) -> None:
        self.agenda.add(trio.current_time() + seconds, deliver)

    def behind(self, channel: str, deliver: Deliver) -> None:
        """Deliver this right after the next of the channel."""
        self._overtaken.append((channel, deliver))

    def passed(self, channel: str) -> None:
        """One of the channel was delivered."""
        due = [deliver for waiting, deliver in self._overtaken if waiting == channel]
        self._overtaken = [each for each in self._overtaken if each[0] != channel]
        for deliver in due:
            deliver()


class UpdateRule(Rule, frozen=True, kw_only=True):
    """``channel`` is a family of private channels; ``status`` narrows it to orders that are in that status."""

    channel: Literal["orders", "fills", "positions", "account"] = "orders"
    status: Literal["NEW", "UNTRIGGERED", "OPEN", "CLOSED"] | None = None

    def fits(self, update: Update) -> bool:
        return (
            self.channel == update.channel
            and self.market in {None, update.market}
            and self.client_id in {None, update.client_id}
            and self.status in {None, update.status}
        )


class LoseUpdate(UpdateRule, frozen=True, kw_only=True, tag="lose-update"):
    """Nobody hears of it."""

    def play(self, _update: Update, _parcel: Parcel, _post: Post) -> None:
        pass


class DelayUpdate(UpdateRule, frozen=True, kw_only=True, tag="delay-update"):
    """It is heard ``seconds`` later, by who listens then; others overtake it."""

    seconds: Seconds

    def play(self, _update: Update, parcel: Parcel, post: Post) -> None:
        post.later(self.seconds, parcel.deliver)


class RepeatUpdate(UpdateRule, frozen=True, kw_only=True, tag="repeat-update"):
    """It is heard, and ``copies`` more times ``seconds`` later."""

    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    seconds: Seconds = 0.0

    def play(self, _update: Update, parcel: Parcel, post: Post) -> None:
        parcel.deliver()
        for _ in range(self.copies):
            post.later(self.seconds, parcel.deliver)


class SwapUpdate(UpdateRule, frozen=True, kw_only=True, tag="swap-update"):
    """It is heard right after the next one of its channel, whatever order that is about."""

    def play(self, update: Update, parcel: Parcel, post: Post) -> None:
        post.behind(update.channel, parcel.deliver)


class CutUpdate(UpdateRule, frozen=True, kw_only=True, tag="cut-update"):
    """The sockets that should hear it end instead: with a close ``code``, or without a frame.

    ``torn``: half of the update's own frame leaves before.
    """

    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] | None = None
    torn: bool = False

    def __post_init__(self) -> None:
        if self.torn and self.code is not None:
            raise ValueError("after half of a frame there is no close code")

    def play(self, _update: Update, parcel: Parcel, _post: Post) -> None:
        parcel.cut(self.code, torn=self.torn)


class GarbleUpdate(UpdateRule, frozen=True, kw_only=True, tag="garble-update"):
    """Something else is heard, as ``how`` says (`garbling`)."""

    how: UpdateHow

    def play(self, _update: Update, parcel: Parcel, _post: Post) -> None:
        parcel.garble(self.how)


UpdateFault = LoseUpdate | DelayUpdate | RepeatUpdate | SwapUpdate | CutUpdate | GarbleUpdate
