"""How much of an account is liquidated (the venue's pages on liquidations; figures as in ``/system/config``).

All positions are reduced by the same share, the smallest multiple of an increment after which the account's value is
above its maintenance margin by a buffer. The account pays a penalty of share x fee x maintenance margin.
"""

from bot.core.fixed import SCALE, parse

FEE: int = parse("0.2")
BUFFER: int = parse("0.2")
SHARE_INCREMENT: int = parse("0.05")
"""In 10⁻⁸. The page on liquidations has 70 %, a margin ratio of 90 %, and 20 %: the configuration is what is read."""


def share(value: int, maintenance: int) -> int:
    """The share of all positions to liquidate, in 10⁻⁸; value and maintenance margin in 10⁻⁸ of money."""
    for part in range(SHARE_INCREMENT, SCALE, SHARE_INCREMENT):
        left = (value - penalty(maintenance, part)) * SCALE * SCALE
        if left >= maintenance * (SCALE - part) * (SCALE + BUFFER):
            return part
    return SCALE


def penalty(maintenance: int, part: int) -> int:
    """What liquidating a share costs, in 10⁻⁸ of money, rounded up."""
    return -(-maintenance * part * FEE // (SCALE * SCALE))


def portion(size: int, part: int, step: int) -> int:
    """The share of a signed size, in whole steps away from zero, and no more than there is."""
    wanted = -(-abs(size) * part // (SCALE * step)) * step
    return min(wanted, abs(size)) * (1 if size > 0 else -1)
