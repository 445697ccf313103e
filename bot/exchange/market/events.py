"""What happens to prices and funding."""

import attrs

from bot.exchange.event import Event


@attrs.frozen
class PriceMoved(Event):
    """The prices of a market were looked at again (about once a second); its mark may have moved."""

    symbol: str


@attrs.frozen
class FundingTicked(Event):
    """The funding rate and index of a market took a step (every second while prices come, 3.9)."""

    symbol: str
