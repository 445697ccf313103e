"""Every case of the sweep, each a session of its own."""

import attrs

from bot.simulation.sweep.checkpoints import Point
from bot.simulation.sweep.session import Played, play
from bot.trading.requests import REST, WS


@attrs.frozen
class Case:
    """One point of one session: all that it takes to play it again."""

    point: Point
    seed: int
    tls: bool = False
    via: str = REST
    """The way of orders."""

    def __str__(self) -> str:
        return f"just sweep --seed {self.seed} {self.point}{' --tls' if self.tls else ''} --via {self.via}"

    def play(self) -> Played:
        """Play it; a point that never came is a violation.

        But with TLS, where signatures vary in length and no session is quite like another: there it is only missed.
        """
        played = play(self.point, seed=self.seed, tls=self.tls, via=self.via)
        if not (self.tls or played.checkpoints.points):
            played.violations.append("this point never came: the session cannot be repeated")
        return played


def cases(seed: int) -> list[Case]:
    """All points of the session without TLS, by either way of orders, and those in the handshakes of one with it.

    Raises:
        RuntimeError: the session does not go well even where nothing is cancelled.
    """
    found = []
    for tls, via in ((False, REST), (False, WS), (True, REST)):
        undisturbed = play(seed=seed, tls=tls, via=via)
        if undisturbed.violations:
            raise RuntimeError(f"nothing was cancelled, and {'; '.join(undisturbed.violations)}")
        found += [Case(point, seed, tls, via) for point in undisturbed.checkpoints.points]
    return found


def violations(case: Case) -> list[str]:
    """What is wrong with ``case``, and how to see it again."""
    return [f"{case}: {violation}" for violation in case.play().violations]
