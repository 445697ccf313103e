"""What clients sign: SNIP-12 revision 0 messages and account addresses (protocol reference 2.1 and 2.3)."""

from collections.abc import Iterable
from functools import lru_cache, partial

from bot.exchange.identity.stark import pedersen

# keccak256 of the type strings mod 2^250; the tests compute them again.
DOMAIN_TYPE = 0x98D1932052FC5137543DE5ED85B7A88555A4CD1FF5D5BFEDB62ED9B9A1F0DB
CONSTANT_TYPE = 0xE84BBCB68E0F7C73A9058BA82B6DA9C1FFDC502EFCF034E78B0C003C22ECC9
REQUEST_TYPE = 0x186CDEF6B179923C411C13C11B8A825F12BF34203BDDA0A984DA9D6F2313C2
ORDER_TYPE = 0xA56D5225B97B257C15AE2CB1CC0EA605381A886CD75463DB45FD2EF9FBC255
MODIFY_TYPE = 0x201789BB587C17B251FD38DAF43B14807010EA721C2929A8C2FC33BF15C2E2C
INITIALIZE_SELECTOR = 0x79DC0DA7C54B95F10AA182AD0A46400DB63156920ADB65ECA2654C0945A463

ADDRESS_BOUND = 2**251 - 256

KEPT_ENVELOPES = 4096
"""Accounts whose part of the hash is kept; anybody may claim to be one."""

_SIDES = {"BUY": 1, "SELL": 2}


def short(text: str) -> int:
    """A short string as a felt: the big-endian integer of its bytes, ``""`` is 0."""
    return int.from_bytes(text.encode("ascii"))


def chain(values: Iterable[int], start: int = 0) -> int:
    """``ped(… ped(ped(start, x1), x2) …, xn)``."""
    for value in values:
        start = pedersen(start, value)
    return start


def array_hash(values: list[int]) -> int:
    """``H(x1..xn)``: the chain, closed with its length."""
    return pedersen(chain(values), len(values))


def account_address(public_key: int, account_hash: int, proxy_hash: int) -> int:
    """The address of the account contract that a Starknet key controls."""
    calldata = array_hash([account_hash, INITIALIZE_SELECTOR, 2, public_key, 0])
    contract = [short("STARKNET_CONTRACT_ADDRESS"), 0, public_key, proxy_hash, calldata]
    return array_hash(contract) % ADDRESS_BOUND


class Messages:
    """Message hashes of one chain. What many of them begin with is hashed once: an account's envelope, the type."""

    def __init__(self, chain_id: str) -> None:
        self.domain_hash = array_hash([DOMAIN_TYPE, short("Paradex"), short(chain_id), 1])
        prefix = chain([short("StarkNet Message"), self.domain_hash])
        self._envelope = lru_cache(KEPT_ENVELOPES)(partial(pedersen, prefix))
        self._order = chain([ORDER_TYPE])
        self._modify = chain([MODIFY_TYPE])

    def seal(self, account: int, struct_hash: int) -> int:
        """The message hash of a struct for an account (the main account's address, even for a subkey)."""
        return chain([struct_hash, 4], self._envelope(account))

    def onboarding(self, account: int) -> int:
        """Hash of the onboarding message."""
        return self.seal(account, array_hash([CONSTANT_TYPE, short("Onboarding")]))

    def auth(self, account: int, timestamp: int, expiration: int) -> int:
        """Hash of the auth request; both times in seconds. The signed path is always ``/v1/auth``."""
        request = [REQUEST_TYPE, short("POST"), short("/v1/auth"), 0, timestamp, expiration]
        return self.seal(account, array_hash(request))

    def order(
        self,
        account: int,
        *,
        timestamp: int,
        market: str,
        side: str,
        order_type: str,
        size: int,
        price: int,
        modified_id: int | None = None,
    ) -> int:
        """Hash of a new order, or of a modification when ``modified_id`` is given.

        ``timestamp`` in ms; ``size`` and ``price`` in 10⁻⁸, price 0 for MARKET.
        """
        fields = [timestamp, short(market), _SIDES[side], short(order_type), size, price]
        if modified_id is None:
            return self.seal(account, chain([*fields, 7], self._order))
        return self.seal(account, chain([*fields, modified_id, 8], self._modify))
