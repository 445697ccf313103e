"""An account on an exchange that somebody started for a benchmark, and orders in its name."""

from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol, TypeVar

import attrs
import trio

from bot.core.clock import Clock
from bot.core.fixed import parse
from bot.core.order import Instruction, Order, OrderType, Side
from bot.link.secrets import new_key
from bot.link.signer import Signer, open_signer
from bot.paradex import rest
from bot.paradex.orders import SignedOrder
from bot.paradex.request import Request
from bot.trading.requests import terms

T = TypeVar("T")

LIFETIME = 300.0
"""Seconds that a token lives; it is renewed after two thirds of them."""

RECV_WINDOW_MS = 300_000

UNCHECKED = '["1","1"]'
"""A signature for those who do not look at it."""

_MARKET, _PRICE, _SIZE = "BTC-USD-PERP", parse("50000"), parse("0.001")


class Ask(Protocol):
    """Sends a request that needs no token, and returns what the answer says."""

    async def __call__(self, request: Request[T]) -> T: ...


@attrs.define(eq=False)
class Account:
    """Made by `open_account`."""

    signer: Signer
    token: str
    made_at: float
    """When the token was made, in trio time."""

    _clock: Clock
    _names: Iterator[int] = attrs.field(factory=lambda: count(1))

    @property
    def expires_at(self) -> float:
        return self.made_at + LIFETIME

    async def renew(self, ask: Ask) -> None:
        """Have another token if this one is old."""
        if trio.current_time() > self.made_at + LIFETIME * 2 / 3:
            self.made_at = trio.current_time()
            self.token = await _log_in(ask, self.signer, self._clock)

    def new_order(self) -> Order:
        """A bid far below the market, IOC: accepted, checked, and closed at once, so that none rests in the way."""
        return Order(
            client_id=f"bench-{next(self._names)}",
            market=_MARKET,
            side=Side.BUY,
            type=OrderType.LIMIT,
            instruction=Instruction.IOC,
            size=_SIZE,
            price=_PRICE,
        )

    def sign(self, order: Order, *, signature: str = "") -> SignedOrder:
        """Hash ``order`` and sign it, or take ``signature`` for it."""
        now_ms = self._clock.wall_ns() // 1_000_000
        return SignedOrder(
            order=order,
            signature=signature or self.signer.sign_order(terms(order, now_ms)).wire(),
            signature_timestamp=now_ms,
            recv_window=RECV_WINDOW_MS,
        )


async def open_account(ask: Ask, clock: Clock) -> Account:
    """A new account, which the exchange gives money to."""
    config = await ask(rest.system_config())
    signer = open_signer(
        private_key=new_key().reveal(), chain_id=config.starknet_chain_id, account=config.account_classes
    )
    registration: Request[Any] = rest.onboarding(
        account=signer.account,
        ethereum_account="0x" + "00" * 20,
        public_key=signer.public_key,
        signature=signer.sign_onboarding().wire(),
    )
    await ask(registration)
    made_at = trio.current_time()
    return Account(signer, await _log_in(ask, signer, clock), made_at, clock)


async def _log_in(ask: Ask, signer: Signer, clock: Clock) -> str:
    now_s = clock.wall_ns() // 1_000_000_000
    answer = await ask(
        rest.auth(
            account=signer.account,
            public_key=signer.public_key,
            signature=signer.sign_auth(timestamp_s=now_s, expiration_s=now_s + 3600).wire(),
            timestamp_s=now_s,
            expiration_s=now_s + 3600,
        )
    )
    return answer.jwt_token
