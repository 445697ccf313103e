"""The hashes and signatures of a recorded session, made again."""

from typing import Protocol

import attrs

from bot.link.signer import Signer, find_curve, open_signer
from bot.paradex.address import from_hex
from bot.paradex.answers import SystemConfig
from bot.paradex.snip12 import MessageHasher, OrderTerms
from bot.replay.steps.shapes import Intent


@attrs.frozen
class Hashes:
    """What an intent says of the order's signature."""

    struct: int
    message: int
    digest: str


class Hashing(Protocol):
    def hashes(self, terms: OrderTerms, recorded: Intent, modified_id: str = "") -> Hashes:
        """Those of ``terms``, as far as they can be known, and of the venue's id of an order that they modify.

        Raises ValueError for what no message can carry.
        """
        ...


class StructHashing:
    """Without the key: what an order says is hashed; account, chain and signature are believed."""

    def __init__(self) -> None:
        # No struct's hash depends on chain or account.
        self._hasher = MessageHasher.for_account(find_curve().pedersen, chain_id="any", account=0)

    def struct(self, terms: OrderTerms, modified_id: str = "") -> int:
        """Raises as `hashes`."""
        if modified_id:
            return self._hasher.modify_struct(terms, order_id=modified_id)
        return self._hasher.order_struct(terms)

    def hashes(self, terms: OrderTerms, recorded: Intent, modified_id: str = "") -> Hashes:
        struct = self.struct(terms, modified_id)
        return Hashes(struct, from_hex(recorded.message_hash), recorded.signature_digest)


@attrs.frozen
class Signing:
    """With the key signatures are made again: they repeat, for their nonces follow from key and message (RFC 6979).

    Message hashes, which cover the account, are compared where the session ``shows_account``; elsewhere a hash
    stands in their place, and the signature over them tells as much.
    """

    signer: Signer
    shows_account: bool

    def hashes(self, terms: OrderTerms, recorded: Intent, modified_id: str = "") -> Hashes:
        if modified_id:
            signature = self.signer.sign_modify(terms, order_id=modified_id)
        else:
            signature = self.signer.sign_order(terms)
        message = signature.message_hash if self.shows_account else from_hex(recorded.message_hash)
        return Hashes(signature.struct_hash or 0, message, signature.digest())


@attrs.frozen
class Key:
    """The key that signed a session. ``account`` is empty where it follows from the key; not so for a subkey."""

    private_key: str = attrs.field(repr=False)
    account: str = ""

    def open(self, config: SystemConfig, *, shows_account: bool) -> Signing:
        """Raises ValueError for a key, or a configuration, that cannot be used."""
        signer = open_signer(
            private_key=self.private_key,
            chain_id=config.starknet_chain_id,
            account=self.account or config.account_classes,
        )
        return Signing(signer, shows_account)
