"""The default strategy: one order that rests far from the market, cancelled as soon as it is confirmed."""

import attrs

from bot.core.fixed import SCALE, Fixed
from bot.core.setting import setting


@attrs.frozen
class ProbeSettings:
    """The ``[strategy]`` table."""

    name: str = setting("probe", "which strategy trades", choices=("probe",))
    size: Fixed = setting(Fixed(SCALE // 100), "size of each order, in the base currency", at_least=1)
    distance: Fixed = setting(
        Fixed(SCALE // 50),
        'how far below the best bid, as a part of it ("0.02" is 2 %)',
        at_least=0,
        at_most=SCALE // 2,
    )
    pause: float = setting(
        1.0, "rest between one order's end and the next", at_least=0, at_most=3600, unit="seconds"
    )
