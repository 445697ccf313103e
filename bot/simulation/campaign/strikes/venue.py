"""What the exchange does as a whole: it hangs up, restricts itself, forgets tokens; and what its market does."""

from functools import partial
from random import Random

import trio

from bot.core.fixed import SCALE
from bot.exchange.market.floor import limit_order
from bot.exchange.matching.commands import Place
from bot.exchange.matching.events import OrderAccepted
from bot.exchange.matching.fills import FillUnknown
from bot.exchange.matching.modes import Mode
from bot.exchange.matching.orders import POST_ONLY
from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.stage import BOT_ADDRESS, Stage
from bot.simulation.campaign.strikes.kind import Excuse, Kind

LEFT_OVER = 40
"""Requests: more than the bot needs for its cancels, and less than it keeps for them."""

TAKES_EVERY = 0.2
"""Seconds. In between not many more become free again."""

CLOSE_CODES = (1000, 1001, 1008, 1012, 1013, 4000, 4031)
BLAMES_US = frozenset({1008, 4000})
"""Closed so twice, with a new token, the bot believes it."""


def _hang_up(code: int | None, stage: Stage, strike: Strike, _: Random) -> None:
    if dropped := stage.exchange.drop_websockets(code):
        stage.hit(strike, f"{dropped} sockets closed")


def _restrict(mode: Mode, stage: Stage, strike: Strike, chance: Random) -> None:
    stage.exchange.set_mode(mode)
    seconds = chance.choice((1.0, 6.0, 12.0))
    stage.network.after(seconds, stage.exchange.set_mode, "ok")
    stage.hit(strike, f"for {seconds:g} s")


def _release(stage: Stage, strike: Strike, chance: Random) -> None:
    """As each weekday: cancel-only, everybody is dropped, post-only, and all is well."""
    exchange, network = stage.exchange, stage.network
    exchange.set_mode("cancel_only")
    pace = chance.choice((1.0, 4.0))
    network.after(pace, exchange.drop_websockets, 1012)
    network.after(2 * pace, exchange.set_mode, "post_only")
    network.after(3 * pace, exchange.set_mode, "ok")
    stage.hit(strike, f"{3 * pace:g} s in all")


def _expire_tokens(stage: Stage, strike: Strike, _: Random) -> None:
    stage.exchange.expire_tokens()
    stage.hit(strike, "every token so far")


def _refuse_auth(status: int, stage: Stage, strike: Strike, chance: Random) -> None:
    """Of no effect as long as the token holds, so it does not."""
    times = chance.choice((1, 2, 3))
    stage.exchange.refuse_auth(times, status)
    stage.exchange.expire_tokens()
    stage.hit(strike, f"{times} times, and every token expired")


def _use_up(stage: Stage, strike: Strike, chance: Random) -> None:
    """Somebody else behind our address uses up what the venue allows to it, but for a few."""
    if stage.conditions.settings.exchange.rate_limits == "none":
        return
    until = trio.current_time() + chance.choice((6.0, 12.0))

    def take() -> None:
        quotas = stage.exchange.quotas
        while (standing := quotas.take_private(BOT_ADDRESS)) is not None and standing.remaining > LEFT_OVER:
            pass
        if trio.current_time() < until:
            stage.network.after(TAKES_EVERY, take)

    take()
    stage.scarce.append((trio.current_time(), until))
    stage.hit(strike, f"until {until:.1f} s")


def _restart(forget: tuple[int, ...], stage: Stage, strike: Strike, chance: Random) -> None:
    """Every connection ends without a word, and perhaps some orders are gone as if they had never been."""
    lost = stage.exchange.restart(chance.choice(forget))
    if lost or 0 in forget:
        stage.hit(strike, f"forgotten: {', '.join(order.client_id for order in lost) or 'nothing'}")


def _bust(stage: Stage, strike: Strike, chance: Random) -> None:
    account = stage.account
    fills = [] if account is None else stage.exchange.fills(account)
    if not fills:
        return
    fill = chance.choice(fills)
    try:
        stage.exchange.engine.bust(fill.id)
    except FillUnknown:
        return
    stage.hit(strike, f"fill {fill.id}")


def _jump(stage: Stage, strike: Strike, chance: Random) -> None:
    market = chance.choice(stage.conditions.settings.orders.markets)
    fair = stage.exchange.prices[market].fair
    moved = fair * chance.choice((94, 97, 99, 101, 103, 106)) // 100
    stage.exchange.driver.move(market, moved // SCALE * SCALE)
    stage.hit(strike, f"{market} from {fair / SCALE:g} to {moved / SCALE:g}")


def _foreign(stage: Stage, strike: Strike, chance: Random) -> None:
    """Somebody places an order on the account by hand."""
    if stage.account is None:
        return
    exchange, symbol = stage.exchange, chance.choice(stage.conditions.settings.orders.markets)
    market = exchange.markets[symbol]
    is_buy, parts = chance.choice((True, False)), chance.choice((2, 30))
    price = exchange.prices[symbol].fair * (1000 - parts if is_buy else 1000 + parts) // 1000
    size = (50 * SCALE * SCALE // price // market.step + 1) * market.step
    order = limit_order(
        exchange.stamps,
        stage.account,
        symbol,
        price // market.tick * market.tick,
        size,
        POST_ONLY,
        is_buy=is_buy,
        client_id=chance.choice(("", "by-hand")),
    )
    exchange.ledger.add(order)
    exchange.bus.emit(OrderAccepted(order))
    exchange.engine.submit(Place(order))
    stage.foreign.append(order.id)
    stage.hit(strike, f"{order.id}, {order.side} {symbol}")


def kinds() -> list[Kind]:
    closes = [
        Kind(
            name=f"close {code}",
            act=partial(_hang_up, code),
            weight=2,
            excuses=frozenset({Excuse.FATAL} if code in BLAMES_US else ()),
        )
        for code in CLOSE_CODES
    ]
    modes: tuple[Mode, ...] = ("cancel_only", "post_only", "maintenance")
    return [
        *closes,
        Kind(name="close without a code", act=partial(_hang_up, None), weight=2),
        *(Kind(name=f"mode {mode}", act=partial(_restrict, mode)) for mode in modes),
        Kind(name="release", act=_release),
        Kind(name="tokens expire", act=_expire_tokens),
        Kind(name="auth refused 401", act=partial(_refuse_auth, 401)),
        Kind(name="auth refused 503", act=partial(_refuse_auth, 503)),
        Kind(name="limit used up", act=_use_up, over="rest", weight=2),
        Kind(name="restart", act=partial(_restart, (0,))),
        Kind(
            name="restart, forgetting",
            act=partial(_restart, (1, 2)),
            weight=4,
            excuses=frozenset({Excuse.LOST}),
        ),
        Kind(name="bust", act=_bust, weight=2),
        Kind(name="price jump", act=_jump),
        Kind(name="foreign order", act=_foreign),
    ]
