"""The messages hash to what the venue hashes them to, in as few Pedersen hashes as the format allows."""

from typing import Any

import attrs
import pytest
from fast_stark_crypto import pedersen_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import fixed
from bot.paradex import snip12
from bot.paradex.address import from_hex
from bot.paradex.snip12 import MessageHasher, OrderTerms, hash_elements, short_string

TESTNET = "PRIVATE_SN_POTC_SEPOLIA"
ACCOUNT = 0x3CA3878D9C0358C9ABE2B8EEDE50BC08B33A189B7C8F1B3C344B52FCB48406E
LIMIT = OrderTerms(
    timestamp_ms=1700000000123,
    market="BTC-USD-PERP",
    side="BUY",
    order_type="LIMIT",
    size=fixed.parse("0.1"),
    price=fixed.parse("42000.5"),
)

short_names = st.text(st.characters(codec="ascii"), min_size=1, max_size=31).filter(
    lambda text: not text.isdecimal() and not text.startswith("0x")
)
field_elements = st.integers(0, snip12.FIELD_PRIME - 1)
terms_of_orders = st.builds(
    OrderTerms,
    timestamp_ms=st.integers(0, 2**63),
    market=short_names,
    side=st.sampled_from(["BUY", "SELL"]),
    order_type=short_names,
    size=st.one_of(st.integers(0, 2**63), field_elements),
    price=st.one_of(st.integers(0, 2**63), field_elements),
)
order_ids = st.integers(0, 10**28 - 1).map(str)


class Naive:
    """SNIP-12 revision 0 written once more, from its text: every message whole, nothing remembered."""

    def __init__(self, pedersen: Any, keccak: Any, chain_id: str, account: int) -> None:
        self.pedersen, self.keccak, self.chain_id, self.account = pedersen, keccak, chain_id, account

    def elements(self, *elements: int) -> int:
        state = 0
        for element in elements:
            state = self.pedersen(state, element)
        return int(self.pedersen(state, len(elements)))

    def felt(self, value: int | str) -> int:
        if isinstance(value, int):
            return value
        return int(value) if value.isdecimal() else int(value.encode().hex() or "0", 16)

    def struct(self, encoded: str, *values: int | str) -> int:
        type_hash = self.keccak(encoded.encode()) % 2**250
        return self.elements(type_hash, *map(self.felt, values))

    def message(self, encoded: str, *values: int | str) -> int:
        domain = self.struct(snip12.DOMAIN.encoded, "Paradex", self.chain_id, "1")
        return self.elements(
            self.felt("StarkNet Message"), domain, self.account, self.struct(encoded, *values)
        )

    def values(self, terms: OrderTerms) -> tuple[int | str, ...]:
        return (
            terms.timestamp_ms,
            "\0" + terms.market,  # a leading zero byte: the same number, and never mistaken for digits
            {"BUY": 1, "SELL": 2}[terms.side],
            "\0" + terms.order_type,
            terms.size,
            terms.price,
        )


@pytest.fixture(scope="session")
def hasher() -> MessageHasher:
    return MessageHasher.for_account(pedersen_hash, chain_id=TESTNET, account=ACCOUNT)


def test_pedersen_known_value() -> None:
    """The Pedersen function that everything here rests on is Starknet's."""
    assert pedersen_hash(1, 2) == 0x5BB9440E27889A364BCB678B1F679ECD1347ACDEDCBF36E83494F857CC58026


def test_domain_hash_known_value() -> None:
    """The domain's fields are in the venue's unusual order: name, chainId, version."""
    domain = hash_elements(
        pedersen_hash, snip12.DOMAIN.type_hash, short_string("Paradex"), short_string(TESTNET), 1
    )
    assert domain == 0x38B9242CB46EB19FF458C80A8F0EDA7E8E26D8D6D54A63D9B5ED89750E39EF2


def test_messages_of_the_protocol_reference(hasher: MessageHasher) -> None:
    """The five vectors of the protocol reference, 2.3: one of each message, and a market order."""
    market_order = OrderTerms(
        timestamp_ms=1700000000123,
        market="ETH-USD-PERP",
        side="SELL",
        order_type="MARKET",
        size=fixed.parse("1.5"),
        price=0,
    )
    assert hasher.onboarding() == 0x672F09FA7582A5E124A72C6DDBDC236F905DD15D10515052D5F496A9B3F3C6D
    assert (
        hasher.auth(timestamp_s=1700000000, expiration_s=1700001800)
        == 0x7CCFFB97CB21FFA609B628C9F730F233A30AD4E88DC386651475E76EA01BFFD
    )
    assert hasher.order(LIMIT) == 0x3946C7EDFCEF6850147B38532216E1076EE798343C17882BCD61563556D606
    assert hasher.order(market_order) == 0x7FA1B6A629B1E5BAE203E97E8732F6DAEA77D13CF4B75AB4C28CA3504870952
    assert (
        hasher.modify(LIMIT, order_id="1753846435990201709277900000")
        == 0x184AAABECF3355E7CB7DCFB37C50835D27095C65FC91A022A64798292A49897
    )


def test_all_messages_of_the_vectors(vectors: Any) -> None:
    """Every onboarding, login, order and modification of the vectors hashes to what stands there."""

    def hasher_of(case: Any) -> MessageHasher:
        return MessageHasher.for_account(
            pedersen_hash, chain_id=case["chain"], account=from_hex(case["account"])
        )

    def terms_of(case: Any) -> OrderTerms:
        return OrderTerms(
            timestamp_ms=case["timestamp"],
            market=case["market"],
            side=case["side"],
            order_type=case["type"],
            size=fixed.parse(case["size"]),
            price=fixed.parse(case["price"]),
        )

    for case in vectors["onboarding"]:
        assert hasher_of(case).onboarding() == from_hex(case["message_hash"])
    for case in vectors["auth"]:
        hashed = hasher_of(case).auth(timestamp_s=case["timestamp"], expiration_s=case["expiration"])
        assert hashed == from_hex(case["message_hash"])
    for case in vectors["orders"]:
        assert hasher_of(case).order(terms_of(case)) == from_hex(case["message_hash"])
    for case in vectors["modifications"]:
        hashed = hasher_of(case).modify(terms_of(case), order_id=case["id"])
        assert hashed == from_hex(case["message_hash"])


def test_type_hashes_follow_from_their_types(starknet_hash: Any) -> None:
    """Each constant is the Keccak-256 of the text beside it, modulo 2^250."""
    for struct in (snip12.DOMAIN, snip12.CONSTANT, snip12.REQUEST, snip12.ORDER, snip12.MODIFY_ORDER):
        assert struct.type_hash == starknet_hash.keccak256(struct.encoded.encode()) % 2**250


def test_an_order_alone_and_the_message_that_carries_it(hasher: MessageHasher) -> None:
    """The hash of an order is the same for every account on every chain, and its message is made of that."""
    other = MessageHasher.for_account(pedersen_hash, chain_id="PRIVATE_SN_PARACLEAR_MAINNET", account=7)
    struct = hasher.order_struct(LIMIT)
    assert other.order_struct(LIMIT) == struct
    for each in (hasher, other):
        assert each.message(struct) == each.order(LIMIT)
    assert other.order(LIMIT) != hasher.order(LIMIT)


def test_how_many_hashes_a_message_costs() -> None:
    """What is constant is hashed once: then nine Pedersen hashes for an order, ten for a modification."""
    calls = 0

    def counting(left: int, right: int) -> int:
        nonlocal calls
        calls += 1
        return pedersen_hash(left, right)

    def cost_since(before: int) -> int:
        return calls - before

    hasher = MessageHasher.for_account(counting, chain_id=TESTNET, account=ACCOUNT)
    assert calls == 5 + 3 + 4  # the domain, the envelope, four types
    for _ in range(2):
        before = calls
        hasher.order(LIMIT)
        assert cost_since(before) == 9
        before = calls
        hasher.modify(LIMIT, order_id="1753846435990201709277900000")
        assert cost_since(before) == 10


@settings(deadline=None, max_examples=50)
@given(
    terms=terms_of_orders,
    order_id=order_ids,
    chain_id=short_names,
    account=field_elements,
    times=st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)),
)
def test_agrees_with_a_naive_implementation(
    starknet_hash: Any,
    terms: OrderTerms,
    order_id: str,
    chain_id: str,
    account: int,
    times: tuple[int, int],
) -> None:
    """Whatever the fields are, the hash is the one of the plain formula, computed by another library."""
    naive = Naive(starknet_hash.pedersen_hash, starknet_hash.keccak256, "\0" + chain_id, account)
    hasher = MessageHasher.for_account(pedersen_hash, chain_id=chain_id, account=account)
    timestamp, expiration = times
    assert hasher.onboarding() == naive.message("Constant(action:felt)", "Onboarding")
    assert hasher.auth(timestamp_s=timestamp, expiration_s=expiration) == naive.message(
        "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)",
        "POST",
        "/v1/auth",
        "",
        timestamp,
        expiration,
    )
    assert hasher.order(terms) == naive.message(
        "Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)",
        *naive.values(terms),
    )
    assert hasher.modify(terms, order_id=order_id) == naive.message(
        "ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)",
        *naive.values(terms),
        order_id,
    )


@settings(deadline=None)
@given(left=terms_of_orders, right=terms_of_orders)
def test_order_and_value_of_every_field_matter(
    hasher: MessageHasher, left: OrderTerms, right: OrderTerms
) -> None:
    """Orders that differ in one field, or have size and price exchanged, do not share a hash."""
    hashed = hasher.order(left)
    for field in attrs.fields_dict(OrderTerms):
        other = attrs.evolve(left, **{field: getattr(right, field)})
        assert (hasher.order(other) == hashed) == (_canonical(other) == _canonical(left))
    exchanged = attrs.evolve(left, size=left.price, price=left.size)
    assert (hasher.order(exchanged) == hashed) == (left.size == left.price)


def _canonical(terms: OrderTerms) -> OrderTerms:
    """A short string is a number, so NULs at its front are not in it."""
    return attrs.evolve(terms, market=terms.market.lstrip("\0"), order_type=terms.order_type.lstrip("\0"))


@pytest.mark.parametrize(
    ("text", "number"), [("", 0), ("A", 65), ("BTC", 0x425443), ("x" * 31, int("78" * 31, 16))]
)
def test_short_strings(text: str, number: int) -> None:
    """A short string is the big-endian integer of its bytes."""
    assert short_string(text) == number


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"market": "M" * 32}, "longer than the 31 characters"),
        ({"market": "BTC–USD–PERP"}, "not ASCII"),
        ({"market": ""}, "market is empty or would be read as a number"),
        ({"market": "1000"}, "market is empty or would be read as a number"),
        ({"market": "0xBTC"}, "market is empty or would be read as a number"),
        ({"order_type": ""}, "order type is empty"),
        ({"side": "buy"}, "side is neither BUY nor SELL: 'buy'"),
        ({"size": -1}, "size is not a field element"),
        ({"price": snip12.FIELD_PRIME}, "price is not a field element"),
        ({"timestamp_ms": -1}, "timestamp is not a field element"),
    ],
)
def test_terms_that_no_message_can_carry(hasher: MessageHasher, change: dict[str, Any], message: str) -> None:
    """What cannot be encoded is refused by name, before anything is hashed."""
    with pytest.raises(ValueError, match=message):
        hasher.order(attrs.evolve(LIMIT, **change))


@pytest.mark.parametrize("order_id", ["", "0x10", "-1", "1.0", "\u0661\u0662", "9" * 76])
def test_order_ids_are_decimal(hasher: MessageHasher, order_id: str) -> None:
    """An order id that is no decimal number within a field element is refused."""
    with pytest.raises(ValueError, match="order id is not a decimal number"):
        hasher.modify(LIMIT, order_id=order_id)


def test_accounts_and_chains_that_cannot_be() -> None:
    """A hasher is not made for an account or a chain that no message can name."""
    with pytest.raises(ValueError, match="account is not a field element"):
        MessageHasher.for_account(pedersen_hash, chain_id=TESTNET, account=snip12.FIELD_PRIME)
    with pytest.raises(ValueError, match="chain id is empty"):
        MessageHasher.for_account(pedersen_hash, chain_id="", account=ACCOUNT)
