"""How long an order's hash and signature take, side by side with starknet-py in one run on the same orders.

Compared is what a program would call. On our side that is `MessageHasher.order` and `Signer.sign_order`, whose
constant parts were hashed beforehand. On the other it is starknet-py's typed data, which by its interface takes
each message whole and hashes domain and types again, and starknet-py's signature, by far the greater part of its
time. Each order goes to both, and they take turns at going first, so that a noisy machine disturbs both alike.
Imports and the opening of the signer are not timed.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.figures import Result, compare
from bot.core import fixed
from bot.link.signer import Signature, find_curve, open_signer
from bot.paradex.address import from_hex
from bot.paradex.snip12 import SIDES, MessageHasher, OrderTerms

# The key, address and chain of the protocol reference's own vectors (2.3): public, and good for nothing else.
KEY = "0x1234567890abcdef1234567890abcdef"
ACCOUNT = "0x3ca3878d9c0358c9abe2b8eede50bc08b33a189b7c8f1b3c344b52fcb48406e"
CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"

OURS, THEIRS = "this bot", "starknet-py"

Hash = Callable[[OrderTerms], int]
Sign = Callable[[OrderTerms], Signature]
Work = Hash | Sign


@attrs.frozen
class Round:
    """One order, given to both."""

    ours_ns: int
    theirs_ns: int
    same: bool


def play(
    orders: Sequence[OrderTerms], ours: Work, theirs: Work, now_ns: Callable[[], int] = time.perf_counter_ns
) -> Iterator[Round]:
    """Have both sides work on each order; who goes first alternates."""

    def timed(work: Work, terms: OrderTerms) -> tuple[int, int | Signature]:
        began = now_ns()
        result = work(terms)
        return now_ns() - began, result

    for number, terms in enumerate(orders):
        if number % 2:
            theirs_ns, their_result = timed(theirs, terms)
            ours_ns, our_result = timed(ours, terms)
        else:
            ours_ns, our_result = timed(ours, terms)
            theirs_ns, their_result = timed(theirs, terms)
        yield Round(ours_ns, theirs_ns, our_result == their_result)


def random_orders(count: int, seed: int) -> list[OrderTerms]:
    """Limit orders like a bot's, each with its own time, size and price."""
    source = random.Random(seed)  # noqa: S311 - inputs of a measurement
    return [
        OrderTerms(
            timestamp_ms=1_700_000_000_000 + number,
            market=source.choice(("BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP")),
            side=source.choice(tuple(SIDES)),
            order_type="LIMIT",
            size=source.randrange(1, 1_000) * fixed.SCALE // 1_000,
            price=source.randrange(1, 1_000_000) * fixed.SCALE // 10,
        )
        for number in range(count)
    ]


def starknet_py_work() -> tuple[Hash, Sign]:
    """Hash, and hash and signature, by starknet-py's public functions on the message's typed data."""
    from starknet_py.hash.utils import message_signature  # noqa: PLC0415 - seconds that the other benchmarks need not wait
    from starknet_py.utils.typed_data import TypedData  # noqa: PLC0415 - as above

    key, account = from_hex(KEY), from_hex(ACCOUNT)

    def typed_data(terms: OrderTerms) -> Any:  # its TypedDict asks for a revision, and revision 0 has none
        return {
            "types": {
                "StarkNetDomain": [
                    {"name": "name", "type": "felt"},
                    {"name": "chainId", "type": "felt"},
                    {"name": "version", "type": "felt"},
                ],
                "Order": [
                    {"name": "timestamp", "type": "felt"},
                    {"name": "market", "type": "felt"},
                    {"name": "side", "type": "felt"},
                    {"name": "orderType", "type": "felt"},
                    {"name": "size", "type": "felt"},
                    {"name": "price", "type": "felt"},
                ],
            },
            "primaryType": "Order",
            "domain": {"name": "Paradex", "chainId": CHAIN_ID, "version": "1"},
            "message": {
                "timestamp": terms.timestamp_ms,
                "market": terms.market,
                "side": SIDES[terms.side],
                "orderType": terms.order_type,
                "size": terms.size,
                "price": terms.price,
            },
        }

    def message_hash(terms: OrderTerms) -> int:
        return TypedData.from_dict(typed_data(terms)).message_hash(account)

    def sign(terms: OrderTerms) -> Signature:
        hashed = message_hash(terms)
        r, s = message_signature(hashed, key, seed=None)  # RFC 6979 without additions, as ours
        return Signature(hashed, r, s)

    return message_hash, sign


def measure(orders: int) -> Result:
    """Give so many orders to both sides."""
    curve = find_curve()
    our_hash = MessageHasher.for_account(curve.pedersen, chain_id=CHAIN_ID, account=from_hex(ACCOUNT)).order
    our_sign = open_signer(private_key=KEY, chain_id=CHAIN_ID, account=ACCOUNT, curve=curve).sign_order
    their_hash, their_sign = starknet_py_work()
    played = {}
    for what, ours, theirs in (("hash", our_hash, their_hash), ("hash and signature", our_sign, their_sign)):
        _, *rounds = play(random_orders(1 + orders, seed=1), ours, theirs)  # a first call may load tables
        played[what] = rounds
    return conclude(played)


def conclude(played: Mapping[str, Sequence[Round]]) -> Result:
    """Sum up at least one round of each kind of work."""
    return Result(
        comparisons=[
            compare(
                f"an order's {what}",
                "ms",
                {
                    OURS: [[each.ours_ns] for each in rounds],
                    THEIRS: [[each.theirs_ns] for each in rounds],
                },
                base=OURS,
                scale=1e6,
            )
            for what, rounds in played.items()
        ],
        wrong=[
            f"an order's {what}: {differing} of {len(rounds)} results differ"
            for what, rounds in played.items()
            if (differing := sum(not each.same for each in rounds))
        ],
    )
