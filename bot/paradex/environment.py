"""Where the venue is: its environments, and a venue of one's own (protocol reference, section 1)."""

import attrs

from bot.core.setting import setting

ENVIRONMENTS = ("embedded", "testnet", "prod")


@attrs.frozen
class VenueSettings:
    """The ``[venue]`` table: other addresses than the environment's own."""

    rest_url: str = setting("", "REST address ending in /v1; empty for the environment's own")
    ws_url: str = setting("", "WebSocket address ending in /v1; empty for the environment's own")
    ca_file: str = setting(
        "", "PEM file of the authority to trust instead of the system's; empty for the system's"
    )


@attrs.frozen
class Venue:
    """A place to trade: REST and WebSocket address, each ending in ``/v1``."""

    rest_url: str
    ws_url: str


PUBLIC_VENUES = {
    "testnet": Venue("https://api.testnet.paradex.trade/v1", "wss://ws.api.testnet.paradex.trade/v1"),
    "prod": Venue("https://api.prod.paradex.trade/v1", "wss://ws.api.prod.paradex.trade/v1"),
}
