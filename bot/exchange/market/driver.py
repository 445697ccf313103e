"""The driver of the market: prices that move each second, and participants who trade around them.

Everything is decided by the seed, by the levers, and by what clients do to the book: prices and the times of all
that happens are drawn from sources that nothing else draws from.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import attrs
import trio

from bot.core.fixed import render
from bot.exchange.agenda import Agenda, following
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.event import Emit, Event
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.market.crowd import Crowd
from bot.exchange.market.events import FundingTicked, PriceMoved
from bot.exchange.market.fair import FairPrice
from bot.exchange.market.floor import Floor
from bot.exchange.market.funding import Funding
from bot.exchange.market.klines import Klines
from bot.exchange.market.quiet import QuietQuote
from bot.exchange.matching.engine import Engine
from bot.exchange.matching.events import BookChanged, Trade
from bot.exchange.matching.modes import Mode
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps

PRICES_EVERY = 1.0
REACTION = 0.25
"""Seconds until the makers look what was left of their quotes, after much was taken. Chosen."""

MUCH = 4
"""Much is one part in so many of the market's ``house_size``. Chosen."""


@attrs.define(eq=False)
class _Scene:
    """One market: its price, those who trade there, and when the next of them comes."""

    symbol: str
    fair: FairPrice
    crowd: Crowd | None
    quiet: QuietQuote
    arrivals: Random
    alarmed: bool = False
    taken: int = 0


class PriceError(ValueError):
    """No price that the market may be moved to."""


class Driver:
    """Moves the prices board and trades through the engine. With ``settings.activity`` 0 nothing moves by itself.

    ``open`` lays the first quotes; ``run`` is a task for as long as the exchange lives.
    """

    def __init__(
        self,
        markets: dict[str, Market],
        prices: Prices,
        engine: Engine,
        clearing: Clearing,
        klines: Klines,
        funding: Funding,
        stamps: Stamps,
        emit: Emit,
        settings: ExchangeSettings,
        mode: Callable[[], Mode],
    ) -> None:
        self._markets = markets
        self._prices = prices
        self._engine = engine
        self._clearing = clearing
        self._klines = klines
        self._funding = funding
        self._stamps = stamps
        self._emit = emit
        self._activity = settings.activity
        self._mode = mode
        self._agenda = Agenda()
        self._is_frozen = False
        self._scenes = {
            symbol: self._scene(market, settings.seed, settings.volatility)
            for symbol, market in markets.items()
        }

    def _scene(self, market: Market, seed: int, volatility: float) -> _Scene:
        symbol = market.symbol

        def source(purpose: str) -> Random:
            return Random(f"{seed} {symbol} {purpose}")  # noqa: S311 - a simulation; one seed is one market

        floor = Floor(market, self._engine.books[symbol], self._engine, self._stamps)
        fair = FairPrice(market, volatility, source("fair"))
        crowd = None
        if self._activity:
            crowd = Crowd(floor, fair, source("crowd"), lambda account: self._held(account, symbol))
        return _Scene(symbol, fair, crowd, QuietQuote(floor, source("quiet")), source("arrivals"))

    @property
    def _may_quote(self) -> bool:
        # Who takes needs no such question: while only passive orders are allowed, the engine refuses the others.
        return self._mode() in {"ok", "post_only"}

    def _held(self, account: int, symbol: str) -> int:
        return self._clearing.position(account, symbol).size

    # -- running -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the markets: first prices, full books."""
        for scene in self._scenes.values():
            self._clearing.accrue(scene.symbol, self._funding.index[scene.symbol])
            self._klines.price(scene.symbol, self._prices[scene.symbol], self._stamps.now_ms())
            if scene.crowd is None:
                scene.quiet.restore()
            else:
                scene.crowd.open()

    async def run(self) -> None:
        """Drive the market until cancelled."""
        self._plan()
        await self._agenda.work()

    def _plan(self) -> None:
        self._agenda.clear()
        now = trio.current_time()
        for scene in self._scenes.values():
            scene.alarmed = True
            self._agenda.add(now, partial(self._restore, scene))
        if self._activity:
            self._agenda.add(now + PRICES_EVERY, partial(self._tick, now + PRICES_EVERY))
            for scene in self._scenes.values():
                self._await_arrival(scene, now)

    def _await_arrival(self, scene: _Scene, since: float) -> None:
        due = following(since, scene.arrivals.expovariate(self._activity))
        self._agenda.add(due, partial(self._arrive, scene, due))

    def _arrive(self, scene: _Scene, due: float) -> None:
        if scene.crowd is not None and self._may_quote:
            scene.crowd.act()
        self._await_arrival(scene, due)

    def _tick(self, due: float) -> None:
        """A second has passed: prices, marks, funding."""
        for scene in self._scenes.values():
            if scene.crowd is not None:
                scene.crowd.see(may_quote=self._may_quote)
            scene.fair.step()
            self._show(scene)
            self._publish(scene)
        after = following(due, PRICES_EVERY)
        self._agenda.add(after, partial(self._tick, after))

    def _show(self, scene: _Scene) -> None:
        price = self._prices[scene.symbol]
        price.underlying, price.mark, price.fair = scene.fair.spot, scene.fair.mark, scene.fair.fair

    def _publish(self, scene: _Scene) -> None:
        symbol, price, now_ms = scene.symbol, self._prices[scene.symbol], self._stamps.now_ms()
        self._klines.price(symbol, price, now_ms)
        self._funding.tick(symbol, price, now_ms)
        self._clearing.accrue(symbol, self._funding.index[symbol])
        self._emit(PriceMoved(symbol))
        self._emit(FundingTicked(symbol))
        self._engine.prices_moved(symbol)

    # -- reacting ------------------------------------------------------------------------------------------

    def listen(self, event: Event) -> None:
        """Look after the quotes when something was done to them."""
        match event:
            case Trade(market=symbol, size=size) if self._activity:
                scene = self._scenes[symbol]
                scene.taken += size
                if scene.taken * MUCH > self._markets[symbol].house_size:
                    self._alarm(scene, REACTION)
            case BookChanged(book=book) if not self._activity:
                # Most changes leave the quote where it is, and nobody has to be woken for them.
                if self._scenes[book.market].quiet.is_displaced:
                    self._alarm(self._scenes[book.market], 0.0)
            case _:
                pass

    def _alarm(self, scene: _Scene, delay: float) -> None:
        if not scene.alarmed and not self._is_frozen:
            scene.alarmed = True
            self._agenda.add(trio.current_time() + delay, partial(self._restore, scene))

    def _restore(self, scene: _Scene) -> None:
        scene.alarmed, scene.taken = False, 0
        if scene.crowd is None:
            scene.quiet.restore()
        elif self._may_quote:
            scene.crowd.restore()

    def mode_changed(self) -> None:
        """The platform mode is another: quotes that it forbade may be possible now."""
        for scene in self._scenes.values():
            self._alarm(scene, 0.0)

    # -- levers --------------------------------------------------------------------------------------------

    def move(self, symbol: str, price: int) -> None:
        """The fair price of a market is this now (10⁻⁸); spot and mark follow at once, quotes as they do.

        Raises:
            PriceError: the price is lower than any that the market may come to.
            KeyError: there is no such market.
        """
        scene = self._scenes[symbol]
        if price < scene.fair.lowest:
            raise PriceError(f"is {render(scene.fair.lowest)} at least")
        scene.fair.move(price)
        self._show(scene)
        # Quotes before the news of it: orders that the price triggers trade in the new book.
        if scene.crowd is None:
            scene.quiet.move(price)
        else:
            scene.crowd.see(may_quote=self._may_quote)
        self._publish(scene)

    def freeze(self) -> None:
        """Stop the market: prices stand still, and nobody but clients does anything."""
        self._is_frozen = True
        self._agenda.clear()

    def thaw(self) -> None:
        """Let it go on from where it stood."""
        if self._is_frozen:
            self._is_frozen = False
            self._plan()
