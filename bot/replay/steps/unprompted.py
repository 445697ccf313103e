"""Requests that no decision of the order manager's is behind: login, keep-warm, lists, the end of a broken run."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from bot.core.order import Order
from bot.core.tape import HIDDEN
from bot.link.signer import Signer
from bot.paradex import account as holdings
from bot.paradex import orders, request, rest
from bot.replay.steps.shapes import Request
from bot.trading.leftovers import cancels_of
from bot.trading.requests import cancel_request

ACCOUNT, ETHEREUM_ACCOUNT = "PARADEX-STARKNET-ACCOUNT", "PARADEX-ETHEREUM-ACCOUNT"
TIMESTAMP, EXPIRATION = "PARADEX-TIMESTAMP", "PARADEX-SIGNATURE-EXPIRATION"


def unprompted(  # noqa: C901, PLR0911 - one for each kind of request
    asked: Request, ours: Iterable[Order], signer: Signer | None
) -> request.Request[Any] | None:
    """The request that the bot makes for what was ``asked``; None if it makes none like it.

    What only login knows (who, and when) is taken from what was asked; who it is from the ``signer``, if there is
    one.
    """
    headers = asked.headers
    account = headers.get(ACCOUNT, "") if signer is None else signer.account
    match asked.method, asked.path.split("/")[1:]:
        case "GET", ["system", "time"]:
            return rest.system_time()
        case "GET", ["system", "config"]:
            return rest.system_config()
        case "GET", ["markets"]:
            return rest.markets()
        case "GET", ["system", "state"]:
            return rest.system_state()
        case "GET", ["orders"]:
            return orders.list_open()
        case "GET", [name] if name.startswith("orders-history?"):
            return orders.history(**_page(name))
        case "GET", [name] if name.startswith("fills?"):
            return holdings.fills(**_page(name))
        case "GET", ["positions"]:
            return holdings.positions()
        case "POST", ["auth", public_key]:
            return rest.auth(
                account=account,
                public_key=public_key if signer is None else signer.public_key,
                signature=HIDDEN,
                timestamp_s=_whole(headers.get(TIMESTAMP)),
                expiration_s=_whole(headers.get(EXPIRATION)),
            )
        case "POST", ["onboarding"]:
            return rest.onboarding(
                account=account,
                ethereum_account=headers.get(ETHEREUM_ACCOUNT, ""),
                public_key=_public_key(asked.body) if signer is None else signer.public_key,
                signature=HIDDEN,
            )
        case "DELETE", ["orders", "batch"]:
            left = [order for order in ours if order.sent_ns is not None]
            return next((each for each in cancels_of(left) if each.shown(HIDDEN)["body"] == asked.body), None)
        case "DELETE", ["orders", *_]:
            cancels = (cancel_request(order, cause=0) for order in ours)
            return next((cancel for cancel in cancels if cancel.path == asked.path), None)
    return None


def _page(path: str) -> dict[str, Any]:
    """Which page of which list was asked for."""
    asked = dict(parse_qsl(path.partition("?")[2]))
    texts: dict[str, Any] = {n: asked[n] for n in ("client_id", "market", "cursor") if n in asked}
    numbers = {name: _whole(asked[name]) for name in ("start_at", "page_size") if name in asked}
    return texts | numbers


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else 0


def _public_key(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=dict[str, str]).get("public_key", "")
    except (msgspec.DecodeError, RecursionError):
        return ""
