"""Requests for the venue's state, for a login, and for market data (protocol reference 1, 2.2, 3.1). No I/O."""

from bot.core.fixed import parse
from bot.core.market import Market
from bot.paradex.answers import (
    Bbo,
    Derivation,
    EmptyAnswer,
    Jwt,
    MarketInfo,
    MarketsAnswer,
    SystemConfig,
    SystemState,
    SystemTime,
)
from bot.paradex.request import Request, encode, segment, with_query

SYSTEM_TIME = "/system/time"


def system_time() -> Request[SystemTime]:
    return Request(method="GET", path=SYSTEM_TIME, answer=SystemTime)


def system_state() -> Request[SystemState]:
    """Which mode the venue is in (protocol reference 1, "Platform modes")."""
    return Request(method="GET", path="/system/state", answer=SystemState)


def system_config() -> Request[SystemConfig]:
    return Request(method="GET", path="/system/config", answer=SystemConfig)


def onboarding(
    *, account: str, ethereum_account: str, public_key: str, signature: str
) -> Request[EmptyAnswer]:
    """Register the account; it may be repeated (protocol reference 2.2)."""
    return Request(
        method="POST",
        path="/onboarding",
        answer=EmptyAnswer,
        headers={
            "PARADEX-ETHEREUM-ACCOUNT": ethereum_account,
            "PARADEX-STARKNET-ACCOUNT": account,
            "PARADEX-STARKNET-SIGNATURE": signature,
        },
        body=encode({"public_key": public_key}),
        secrets=(signature,),
    )


def derivation(public_key: str) -> Request[Derivation]:
    """Ask which account is that of a key, and whether it is onboarded (protocol reference 2.1)."""
    path = with_query("/onboarding", account_signer_type="starknet", public_key=public_key)
    return Request(method="GET", path=path, answer=Derivation)


def auth(
    *, account: str, public_key: str, signature: str, timestamp_s: int, expiration_s: int
) -> Request[Jwt]:
    """Ask for a token. The form with the key in its path serves main keys and subkeys (2.2)."""
    return Request(
        method="POST",
        path=f"/auth/{public_key}",
        answer=Jwt,
        headers={
            "PARADEX-STARKNET-ACCOUNT": account,
            "PARADEX-STARKNET-SIGNATURE": signature,
            "PARADEX-TIMESTAMP": str(timestamp_s),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiration_s),
        },
        secrets=(signature,),
        secret_answer=True,
    )


def markets() -> Request[MarketsAnswer]:
    return Request(method="GET", path="/markets", answer=MarketsAnswer)


def bbo(market: str, *, cause: int = 0) -> Request[Bbo]:
    return Request(method="GET", path=f"/bbo/{segment(market)}", answer=Bbo, cause=cause)


def read_market(info: MarketInfo) -> Market:
    """The rules of a market. Raises ValueError where one is missing or cannot be read."""
    return Market(
        symbol=info.symbol or "",
        price_tick=parse(info.price_tick_size or ""),
        size_step=parse(info.order_size_increment or ""),
        min_notional=parse(info.min_notional or ""),
        max_order_size=parse(info.max_order_size or ""),
    )
