"""What a step comes to: effects, in the order in which they were decided."""

import attrs

from bot.trading.effects import Effect, RaiseAlarm, SetTimer, Timer


@attrs.define(eq=False)
class Decisions:
    """Shared by everybody who decides in a step."""

    now_ns: int = 0
    """When the item came that is handled."""

    _effects: list[Effect] = attrs.field(factory=list)
    _waiting: set[Timer] = attrs.field(factory=set)

    def add(self, effect: Effect) -> None:
        self._effects.append(effect)

    def alarm(self, text: str) -> None:
        self.add(RaiseAlarm(text))

    def wait(self, purpose: str, subject: str, seconds: float) -> None:
        """Come back to ``subject`` for this ``purpose``, unless that is going to happen anyway."""
        timer = Timer(purpose, subject)
        if timer not in self._waiting:
            self._waiting.add(timer)
            self.add(SetTimer(timer, seconds))

    def elapsed(self, timer: Timer) -> None:
        self._waiting.discard(timer)

    def take(self) -> list[Effect]:
        """All of them; there are none afterwards."""
        effects, self._effects = self._effects, []
        return effects
