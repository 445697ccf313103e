"""Orders of paradex-py, in turns, for a benchmark: IOC bids far below the market, which rest nowhere."""

import asyncio
import secrets
from decimal import Decimal
from typing import Any

from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel

from harness import trust, venue
from sdk_client import new_order, paradex
from turns import Send, take_turns


async def ignore(*_: Any) -> None:
    """What the channel tells is not asked for: a WebSocket without a subscription is closed."""


def main() -> None:
    with venue(__doc__ or "") as where:
        trust(where.ca_file)
        client = paradex(where, "0x" + secrets.token_hex(32))

        def order() -> Any:
            return new_order("BUY", size=Decimal("0.001"), price=Decimal(50_000), instruction="IOC")

        async def rest() -> Send:
            def send() -> Any:
                return client.api_client.submit_order(order())

            send()
            return send

        async def calls() -> Send:
            ws = client.ws_client
            if not await ws.connect():
                raise ConnectionError("the SDK's WebSocket did not come up")
            await ws.subscribe(Channel.ORDERS, callback=ignore, params={"market": "ETH-USD-PERP"})

            def send() -> Any:
                return ws.submit_order(order())

            await send()
            return send

        asyncio.run(take_turns({"REST": rest, "WebSocket": calls}))


if __name__ == "__main__":
    main()
