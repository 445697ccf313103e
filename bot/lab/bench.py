"""Every measurement of this bot on this machine, one after the other; each prints its own table or JSON object."""

import sys
from typing import Annotated

import cyclopts
from cyclopts.validators import Number

from bot.lab import hour, journal, signing


def main(
    *,
    orders: Annotated[int, cyclopts.Parameter(validator=Number(gte=1))] = 30,
    seconds: Annotated[float, cyclopts.Parameter(validator=Number(gte=20))] = hour.HOUR,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Measure signing, what the journal costs an order, and the simulated hour.

    Args:
        orders: how many orders are signed by each side.
        seconds: how long bot and exchange trade with each other, in virtual seconds.
        json: print a JSON object a line instead of tables.
    """
    return max(
        signing.main(orders=orders, json=json),
        journal.main(json=json),
        hour.main(seconds=seconds, json=json),
    )


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
