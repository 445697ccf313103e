"""Orders of ccxt, in turns, for a benchmark: IOC bids far below the market, which rest nowhere."""

import asyncio
from typing import Any

import ccxt

from ccxt_client import BTC, new_key, trader
from harness import venue
from turns import Send, take_turns


def main() -> None:
    with venue(__doc__ or "") as where:
        exchange = trader(ccxt.paradex, where, new_key())
        exchange.load_markets()
        exchange.onboarding()

        def send() -> Any:
            return exchange.create_order(BTC, "limit", "buy", 0.001, 50_000, {"timeInForce": "IOC"})

        async def rest() -> Send:
            send()  # it logs in, and asks what it needs to know once
            return send

        asyncio.run(take_turns({"REST": rest}))


if __name__ == "__main__":
    main()
