"""Every case of the sweep, each a session of its own."""

import attrs

from bot.simulation.sweep.checkpoints import Point
from bot.simulation.sweep.session import Played, play


@attrs.frozen
class Case:
    """One point of one session: all that it takes to play it again."""

    point: Point
    seed: int
    tls: bool

    def __str__(self) -> str:
        return f"just campaign --seed {self.seed} {self.point}{' --tls' if self.tls else ''}"

    def play(self) -> Played:
        """Play it; a point that never came is a violation.

        But with TLS, where signatures vary in length and no session is quite like another: there it is only missed.
        """
        played = play(self.point, seed=self.seed, tls=self.tls)
        if not (self.tls or played.checkpoints.points):
            played.violations.append("this point never came: the session cannot be repeated")
        return played


def cases(seed: int) -> list[Case]:
    """All points of the session without TLS, and those in the handshakes of the one with it.

    Raises:
        RuntimeError: the session does not go well even where nothing is cancelled.
    """
    found = []
    for tls in (False, True):
        undisturbed = play(seed=seed, tls=tls)
        if undisturbed.violations:
            raise RuntimeError(f"nothing was cancelled, and {'; '.join(undisturbed.violations)}")
        found += [Case(point, seed, tls) for point in undisturbed.checkpoints.points]
    return found


def violations(case: Case) -> list[str]:
    """What is wrong with ``case``, and how to see it again."""
    return [f"{case}: {violation}" for violation in case.play().violations]
