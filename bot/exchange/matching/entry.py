"""Order entry: what is checked before an order is answered with 201 and NEW (protocol reference 3.2, 3.7)."""

from collections.abc import Callable, Iterable, Mapping

import attrs

from bot.core.fixed import SCALE
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.stark import is_valid, names, parse_signature
from bot.exchange.instruments.markets import Market, check_market
from bot.exchange.instruments.prices import Prices
from bot.exchange.limits import DEFAULT_RECV_WINDOW_MS, SHORTEST_RECV_WINDOW_MS
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.commands import Modify
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.modes import Mode, check_mode
from bot.exchange.matching.orders import (
    INTERACTIVE,
    OPEN,
    POSITIONAL_TYPES,
    REDUCE_ONLY,
    UNTRIGGERED,
    Order,
)
from bot.exchange.matching.reading import (
    read_average_limit,
    read_client_id,
    read_flags,
    read_prices,
    read_size,
    read_trigger,
    read_words,
    triggers_above,
    with_retail_flag,
)
from bot.exchange.matching.reduce_only import reduces
from bot.exchange.matching.requests import ModifyRequest, OrderRequest
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps


@attrs.frozen
class Entry:
    """Turns requests into NEW orders and modifications of an account, or refuses them.

    ``account_keys`` are all public keys that sign for an account; ``verify`` false skips the arithmetic of
    signatures, nothing else.
    """

    markets: Mapping[str, Market]
    prices: Prices
    ledger: OrderLedger
    clearing: Clearing
    stamps: Stamps
    messages: Messages
    settings: ExchangeSettings
    account_keys: Callable[[Account], Iterable[int]]
    verify: bool

    def check(self, request: OrderRequest, caller: Caller, mode: Mode) -> Order:
        """What is checked of a request by itself, signature included. Records nothing.

        Raises:
            VenueError: the request is not one that could be accepted.
        """
        market = self._market(request.market)
        instruction, stp = read_words(request)
        flags = read_flags(request)
        if INTERACTIVE in flags and not caller.grant.interactive:
            raise VenueError("REQUEST_NOT_ALLOWED", "INTERACTIVE orders need an interactive token")
        if (
            self.settings.exits == "reduce-only"
            and request.type in POSITIONAL_TYPES
            and REDUCE_ONLY not in flags
        ):
            raise VenueError("VALIDATION_ERROR", f"a {request.type} order must be REDUCE_ONLY")
        price, signed_prices = read_prices(request.price, request.type, market)
        size = read_size(request.size, request.type, flags, market)
        now_ms = self.stamps.now_ms()
        order = Order(
            id=self.stamps.new_id(),
            account=caller.account.address,
            client_id=read_client_id(request),
            market=market.symbol,
            side=request.side,
            type=request.type,
            instruction=instruction,
            price=price,
            size=size,
            stp=stp,
            flags=with_retail_flag(flags, interactive=caller.interactive),
            signed_at_ms=request.signature_timestamp,
            received_at_ms=caller.received_ms,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            remaining=size,
            trigger_price=read_trigger(request.trigger_price, request.type, market),
            triggers_above=triggers_above(request.type, request.side, flags),
            average_limit=read_average_limit(request, flags, market),
        )
        self._check_owner(request.on_behalf_of_account, caller)
        self._check_notional(order, size)
        check_mode(mode, order, price, self.prices[market.symbol].fair)
        self._check_window(request.signature_timestamp, request.recv_window, caller.received_ms)
        self._check_signature(order, request.signature, caller, signed_prices)
        return order

    def admit(self, order: Order) -> None:
        """Record a checked order, if it fits beside those that the account has.

        Raises:
            VenueError: DUPLICATED_CLIENT_ID, or REQUEST_NOT_ALLOWED above the market's ``max_open_orders``. Nothing
                was recorded.
        """
        if order.client_id:
            known = self.ledger.find_client_id(order.account, order.client_id)
            if known is not None and (known.is_live or self.settings.client_ids == "once"):
                raise VenueError("DUPLICATED_CLIENT_ID", f"client id {order.client_id!r} was used before")
        most = self.markets[order.market].max_open_orders
        if self.ledger.count(order.account, order.market) >= most:
            raise VenueError("REQUEST_NOT_ALLOWED", f"more than {most} open orders")
        order.seq_no = self.stamps.rest_seq.next()
        self.ledger.add(order)

    def check_modification(self, order: Order, request: ModifyRequest, caller: Caller, mode: Mode) -> Modify:
        """What is checked of a modification before the engine sees it. Changes nothing.

        Raises:
            VenueError: ORDER_IS_NOT_OPEN, INVALID_REQUEST_PARAMETER for values that must be the order's own and
                when nothing would change, and what `check` raises.
        """
        if order.status not in {OPEN, UNTRIGGERED}:
            raise VenueError("ORDER_IS_NOT_OPEN", f"order is {order.status}")
        for name in ("id", "market", "side", "type"):
            if getattr(request, name) != getattr(order, name):
                raise VenueError("INVALID_REQUEST_PARAMETER", f"{name} is not the order's")
        self._check_owner(request.on_behalf_of_account, caller)
        market = self.markets[order.market]
        price, signed_prices = read_prices(request.price, order.type, market)
        size = read_size(request.size, order.type, order.flags, market)
        trigger_price = order.trigger_price
        if request.trigger_price and request.trigger_price != "0":
            trigger_price = read_trigger(request.trigger_price, order.type, market)
        if order.is_triggered and trigger_price != order.trigger_price:
            raise VenueError("INVALID_REQUEST_PARAMETER", "the order has triggered already")
        counts_filled = self.settings.modify_size == "total"
        modify = Modify(
            order,
            price,
            size,
            counts_filled=counts_filled,
            trigger_price=trigger_price,
            signed_at_ms=request.signature_timestamp,
            request_id=self.stamps.new_id(),
        )
        if (price, modify.total, trigger_price) == (order.price, order.size, order.trigger_price):
            raise VenueError("INVALID_REQUEST_PARAMETER", "no order parameters changed")
        if order.filled and modify.total <= order.filled:
            raise VenueError("INVALID_ORDER_SIZE", "size is not above what is filled already")
        self._check_notional(order, size)
        check_mode(mode, order, price, self.prices[market.symbol].fair)
        self._check_window(request.signature_timestamp, None, caller.received_ms)
        signed = attrs.evolve(order, size=size, signed_at_ms=request.signature_timestamp)
        self._check_signature(signed, request.signature, caller, signed_prices, modified_id=int(order.id))
        return modify

    def _market(self, symbol: str) -> Market:
        return self.markets[check_market(symbol, self.markets)]

    def _check_owner(self, owner: str | None, caller: Caller) -> None:
        if owner and not names(owner, caller.account.address):
            raise VenueError("REQUEST_NOT_ALLOWED", "orders for isolated margin accounts are not served")

    def _check_notional(self, order: Order, size: int) -> None:
        """Less than the minimum is allowed to a reduce-only order that closes the position (3.5)."""
        market = self.markets[order.market]
        # Untruncated: a product one unit of 10⁻¹⁶ short is short.
        if not size or size * self.prices[order.market].mark >= market.min_notional * SCALE:
            return
        position = self.clearing.position(order.account, order.market).size
        if not (order.is_reduce_only and reduces(order, position) and size == abs(position)):
            raise VenueError("INVALID_ORDER_SIZE", "size x mark price is below min_notional")

    def _check_window(self, signed_at_ms: int, recv_window: int | None, received_ms: int) -> None:
        """An order received later than ``signature_timestamp + recv_window`` is refused (2.3).

        How far in the future a timestamp may be is undocumented, and a setting.
        """
        if not 0 < signed_at_ms <= received_ms + self.settings.timestamp_ahead_ms:
            raise VenueError(
                "INVALID_TIMESTAMP", "signature_timestamp is not a time in milliseconds, or in the future"
            )
        window = DEFAULT_RECV_WINDOW_MS if recv_window is None else recv_window
        if window < SHORTEST_RECV_WINDOW_MS:
            raise VenueError("VALIDATION_ERROR", f"recv_window is below {SHORTEST_RECV_WINDOW_MS} ms")
        if received_ms > signed_at_ms + window:
            raise VenueError("INVALID_TIMESTAMP", "received after signature_timestamp + recv_window")

    def _check_signature(
        self,
        order: Order,
        text: str,
        caller: Caller,
        prices: Iterable[int],
        *,
        modified_id: int | None = None,
    ) -> None:
        try:
            signature = parse_signature(text)
        except ValueError as error:
            raise VenueError("INVALID_ORDER_SIGNATURE", str(error)) from error
        if not self.verify:
            return
        by_token = self.settings.order_signer == "token"
        keys = [caller.grant.key] if by_token else list(self.account_keys(caller.account))
        for price in prices:
            message = self.messages.order(
                order.account,
                timestamp=order.signed_at_ms,
                market=order.market,
                side=order.side,
                order_type=order.type,
                size=order.size,
                price=price,
                modified_id=modified_id,
            )
            if any(is_valid(key, message, signature) for key in keys):
                return
        raise VenueError("INVALID_ORDER_SIGNATURE", "the signature is not the key's over this order")
