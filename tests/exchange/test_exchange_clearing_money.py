"""Money is conserved, whatever is traded, at whatever prices: against a model that knows no average price."""

from collections import defaultdict

import attrs
from clearing_stage import ALICE, BOB, BTC, CAROL, ETH, ROBOT, Pit
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.fixed import SCALE
from bot.exchange.clearing.events import BalanceChanged, Busted, FundingPaid
from bot.exchange.clearing.leg import Leg
from bot.exchange.limits import SYNTHETIC_ACCOUNTS

ACCOUNTS = [ALICE, BOB, CAROL, ROBOT]


@attrs.frozen
class Trade:
    market: str
    buyer: int
    seller: int
    size: int
    price: int
    buyer_makes: bool
    retail: tuple[bool, bool]


@attrs.frozen
class Accrue:
    market: str
    index: int


@attrs.frozen
class Deposit:
    account: int
    amount: int


@attrs.frozen
class Bust:
    which: int


markets = st.sampled_from([BTC, ETH])
# Sizes are small numbers too, so that positions close exactly and flip by a single unit.
sizes = st.integers(1, 9) | st.integers(1, 10**12)
prices = st.integers(1, 99) | st.integers(1, 10**14)
trades = st.permutations(ACCOUNTS).flatmap(
    lambda pair: st.builds(
        Trade,
        market=markets,
        buyer=st.just(pair[0]),
        seller=st.just(pair[1]),
        size=sizes,
        price=prices,
        buyer_makes=st.booleans(),
        retail=st.tuples(st.booleans(), st.booleans()),
    )
)
steps = (
    trades
    | st.builds(Accrue, market=markets, index=st.integers(-(10**12), 10**12))
    | st.builds(Deposit, account=st.sampled_from(ACCOUNTS), amount=st.integers(1, 10**14))
    | st.builds(Bust, which=st.integers(0, 20))
)


class Model:
    """What each account is worth, in 10⁻¹⁶: every payment as it was, and what is held at the mark of the moment."""

    def __init__(self) -> None:
        self.paid: defaultdict[int, int] = defaultdict(int)
        self.size: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.index: defaultdict[str, int] = defaultdict(int)
        self.rounded: defaultdict[int, int] = defaultdict(int)

    def trade(self, leg: Leg, fee: int) -> None:
        self.paid[leg.account] -= leg.size * leg.price + fee * SCALE
        self.size[leg.account, leg.market] += leg.size
        self.rounded[leg.account] += 2  # at most a unit of profit and one of funding

    def accrue(self, market: str, index: int) -> None:
        for (account, where), size in self.size.items():
            if where == market:
                self.paid[account] -= size * (index - self.index[market])
        self.index[market] = index

    def worth(self, account: int, marks: dict[str, int]) -> int:
        held = sum(self.size[account, market] * mark for market, mark in marks.items())
        return self.paid[account] + held


class Story:
    """Plays steps on a clearing and on the model."""

    def __init__(self) -> None:
        self.pit = Pit()
        self.model = Model()
        self.booked: list[tuple[Leg, Leg, int, int]] = []

    def play(self, step: Trade | Accrue | Deposit | Bust) -> None:
        clearing = self.pit.clearing
        match step:
            case Trade():
                self.trade(step)
            case Accrue(market, index):
                clearing.accrue(market, index)
                self.model.accrue(market, index)
            case Deposit(account, amount):
                clearing.deposit(account, amount)
                self.model.paid[account] += amount * SCALE
            case Bust(which) if which < len(self.booked):
                bought, sold, *paid = self.booked.pop(which)
                for leg, fee in zip((bought, sold), paid, strict=True):
                    clearing.revert(leg, fee)
                    self.model.trade(attrs.evolve(leg, size=-leg.size), -fee)

    def trade(self, step: Trade) -> None:
        legs = [
            attrs.evolve(leg, is_maker=is_maker, retail=retail)
            for leg, is_maker, retail in zip(
                self.pit.legs(step.buyer, step.seller, step.size, step.price, step.market),
                (step.buyer_makes, not step.buyer_makes),
                step.retail,
                strict=True,
            )
        ]
        paid = [self.pit.clearing.settle(leg).fee for leg in legs]
        for leg, fee in zip(legs, paid, strict=True):
            self.model.trade(leg, fee)
            assert fee >= 0
            assert not fee or (not leg.retail and leg.account >= SYNTHETIC_ACCOUNTS)
        self.booked.append((*legs, *paid))  # type: ignore[arg-type] # there are two of each

    def check(self) -> None:
        """Conserved to the last unit; each account is worth what the model says, less what it was rounded down."""
        self.pit.check()
        marks = {market: self.pit.prices[market].mark for market in (BTC, ETH)}
        for account in ACCOUNTS:
            held = self.pit.clearing.holdings(account)
            worth = held.cash * SCALE
            for market, mark in marks.items():
                position = self.pit.clearing.position(account, market)
                assert position.size == self.model.size[account, market]
                assert bool(position.cost) <= bool(position.size), "a closed position costs nothing"
                assert not position.size or position.cost * position.size >= 0
                worth += position.value(mark) + position.funding_due(self.model.index[market])
            lost = self.model.worth(account, marks) - worth
            assert 0 <= lost <= self.model.rounded[account] * SCALE

    def check_records(self) -> None:
        """The balance events of an account are a chain, whose links add up, and its payments are their funding."""
        pit = self.pit
        for account in ACCOUNTS:
            chain = [event for event in pit.told(BalanceChanged) if event.account == account]
            for event in chain:
                assert event.after == event.before + event.realized_pnl + event.realized_funding - event.fees
            payments = [event for event in pit.told(FundingPaid) if event.account == account]
            assert sum(payment.payment for payment in payments) == sum(
                event.realized_funding for event in chain
            )
            assert payments == list(pit.clearing.holdings(account).payments)
            busts = [event for event in pit.told(Busted) if event.account == account]
            assert busts == list(pit.clearing.holdings(account).busts)
            assert account >= SYNTHETIC_ACCOUNTS or not chain + payments + busts
        longs = sum(max(0, pit.clearing.position(account, BTC).size) for account in ACCOUNTS)
        assert pit.clearing.open_interest(BTC) == longs


@given(st.lists(steps, max_size=25))
def test_money_is_conserved_to_the_last_unit(todo: list[Trade | Accrue | Deposit | Bust]) -> None:
    """Trades, flips, fees, funding, deposits and busts neither make nor lose a 10⁻¹⁶; rounding favours the venue."""
    story = Story()
    for step in todo:
        story.play(step)
        story.check()
    story.check_records()


@settings(max_examples=50)
@given(trades, st.lists(trades, max_size=6), st.integers(-(10**12), 10**12))
def test_a_bust_leaves_what_the_account_is_worth_without_the_fill(
    busted: Trade, between: list[Trade], index: int
) -> None:
    """A fill and its bust, whatever happened in between, come to nothing but rounding."""
    stories = Story(), Story()
    for story, trade_it in zip(stories, (True, False), strict=True):
        story.play(Accrue(busted.market, index))
        if trade_it:
            story.play(busted)
        for step in between:
            story.play(attrs.evolve(step, retail=(True, True)))  # volumes differ, and with them the fees
        if trade_it:
            story.play(Bust(0))
    with_bust, without = stories
    for account in ACCOUNTS:
        worths = []
        for story in stories:
            held = story.pit.clearing.holdings(account)
            worth = held.cash * SCALE
            for market in (BTC, ETH):
                worth += story.pit.clearing.position(account, market).value(story.pit.prices[market].mark)
            worths.append(worth)
        rounded = max(with_bust.model.rounded[account], without.model.rounded[account]) * SCALE
        assert abs(worths[0] - worths[1]) <= rounded
        for market in (BTC, ETH):
            sizes_left = {story.pit.clearing.position(account, market).size for story in stories}
            assert len(sizes_left) == 1
