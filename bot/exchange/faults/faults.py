"""The rules that are in force, and what they did."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from random import Random
from typing import Any

import attrs
import msgspec
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.errors import UNREADABLE
from bot.exchange.faults.ask import Ask
from bot.exchange.faults.chronicle import Chronicle
from bot.exchange.faults.disconnects import Disconnect
from bot.exchange.faults.requests import RequestFault, Stale
from bot.exchange.faults.updates import Parcel, Post, Update, UpdateFault
from bot.exchange.matching.orders import Order

Fault = RequestFault | UpdateFault | Disconnect

_FAULT: msgspec.json.Decoder[Fault] = msgspec.json.Decoder(Fault)


class FaultInvalid(ValueError):  # noqa: N818 - named for what it is
    """No such fault, or a member that it does not have, or a value out of its bounds."""


def read_fault(body: bytes) -> Fault:
    """A fault from JSON: its kind is the member ``fault``, the others are those of its class.

    Raises:
        FaultInvalid: it is none.
    """
    try:
        return _FAULT.decode(body)
    except UNREADABLE as error:
        raise FaultInvalid(str(error)) from error


def kind_of(fault: Fault) -> str:
    """The name of a kind of fault, as JSON has it."""
    return str(fault.__struct_config__.tag)


@attrs.define
class _Armed:
    """A rule that is in force: how often it fitted, and how often it struck."""

    rule: Fault
    fitted: int = 0
    struck: int = 0

    @property
    def is_spent(self) -> bool:
        return self.rule.times is not None and self.struck >= self.rule.times

    def strikes(self, rng: Random) -> bool:
        """Whether it strikes now that it fits. Dice are rolled only where something is left to chance."""
        self.fitted += 1
        if self.fitted <= self.rule.skip or (self.rule.chance < 1 and rng.random() >= self.rule.chance):
            return False
        self.struck += 1
        return True


class Faults:
    """Faults on purpose. Of the rules that fit the first that strikes decides; without rules nothing here is asked.

    Chance has a source of its own, made from the exchange's ``seed``: rules change nothing but what they strike.
    """

    def __init__(self, seed: int, chronicle: Chronicle) -> None:
        self.agenda = Agenda()
        self.struck: Counter[str] = Counter()
        """How often each kind of fault struck, that of rules that are gone included, and each lever that counts."""

        self._rng = Random(f"faults {seed}")  # noqa: S311 - the exchange is a simulation; one seed is one exchange
        self._chronicle = chronicle
        self._post = Post(self.agenda)
        self._numbers = count(1)
        self._rules: dict[int, _Armed] = {}
        self._live: list[_Armed] = []
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Do what faults put off, for as long as the exchange lives."""
        async with trio.open_nursery() as self._nursery:
            await self.agenda.work()

    # -- levers --------------------------------------------------------------------------------------------

    def add(self, fault: Fault) -> int:
        """Put a rule into force, behind those that are. Its number.

        Raises:
            FaultInvalid: a value is out of its bounds.
        """
        armed = _Armed(read_fault(msgspec.json.encode(fault)))  # Python does not look at bounds
        if isinstance(armed.rule, Stale):
            self._chronicle.begin()
        number = next(self._numbers)
        self._rules[number] = armed
        self._live.append(armed)
        return number

    def remove(self, number: int) -> None:
        """Take a rule out of force. What it has begun goes on.

        Raises:
            KeyError: there is none of this number.
        """
        del self._rules[number]
        self._arrange()

    def clear(self) -> None:
        """Take all rules out of force. What they have begun goes on."""
        self._rules.clear()
        self._arrange()

    def count(self, lever: str, times: int = 1) -> None:
        """Count what no rule did, but a lever of the exchange."""
        if times:
            self.struck[lever] += times

    def view(self) -> dict[str, Any]:
        """The rules as JSON has them, with how often each ``fitted`` and ``struck``, and all strikes by kind."""
        rules = [
            {"id": number, **msgspec.to_builtins(armed.rule), "fitted": armed.fitted, "struck": armed.struck}
            for number, armed in self._rules.items()
        ]
        return {"results": rules, "struck": dict(self.struck)}

    # -- what the exchange asks ----------------------------------------------------------------------------

    @property
    def are_armed(self) -> bool:
        """Whether any rule may still strike."""
        return bool(self._live)

    @property
    def handle_updates(self) -> bool:
        """Whether updates have to go by `post`."""
        return bool(self._live) or self._post.is_waiting

    async def begin(self, play: Callable[..., Awaitable[None]]) -> None:
        """Play something until its ``task_status`` has started; then it goes on, whatever its socket comes to."""
        assert self._nursery is not None, "the exchange runs"
        await self._nursery.start(play)

    def strike_request(self, ask: Ask) -> RequestFault | None:
        """What happens to a request, if anything."""
        for armed in self._live:
            rule = armed.rule
            if isinstance(rule, RequestFault) and rule.fits(ask) and self._strikes(armed):
                return rule
        return None

    def strike_disconnect(self, orders: Sequence[Order]) -> Disconnect | None:
        """What happens to the cancellation of the orders that an armed socket left, if anything."""
        for armed in self._live:
            rule = armed.rule
            if isinstance(rule, Disconnect) and rule.fits(orders) and self._strikes(armed):
                return rule
        return None

    def post(self, update: Update, parcel: Parcel) -> None:
        """Deliver an update, or do with it what a rule wants."""
        for armed in self._live:
            rule = armed.rule
            if isinstance(rule, UpdateFault) and rule.fits(update) and self._strikes(armed):
                rule.play(update, parcel, self._post)
                return
        parcel.deliver()
        self._post.passed(update.channel)

    def _strikes(self, armed: _Armed) -> bool:
        if not armed.strikes(self._rng):
            return False
        self.struck[kind_of(armed.rule)] += 1
        if armed.is_spent:
            self._arrange()
        return True

    def _arrange(self) -> None:
        self._live = [armed for armed in self._rules.values() if not armed.is_spent]
