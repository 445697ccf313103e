"""Subkeys: key pairs that trade for an account and manage nothing (protocol reference 2.2; openapi, Subkey)."""

from typing import Final, Literal

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Accounts
from bot.exchange.identity.allowlist import ANYWHERE, AllowList
from bot.exchange.limits import KEPT_REVOKED_SUBKEYS, MOST_SUBKEYS
from bot.exchange.stamps import Stamps

State = Literal["active", "pending", "revoked"]
ACTIVE: Final = "active"
PENDING: Final = "pending"
REVOKED: Final = "revoked"


@attrs.frozen
class Handover:
    """What a pending subkey waits with: its private key, encrypted for who proves to own the ephemeral key."""

    encrypted_key: str
    eph_public_key: int


@attrs.define
class Subkey:
    """A key (felt) that trades for an account (felt). Times in ns; ``revoked_at_ns`` 0: it is not."""

    id: int
    account: int
    public_key: int
    name: str
    state: State
    created_at_ns: int
    updated_at_ns: int
    revoked_at_ns: int = 0
    allowed: AllowList = ANYWHERE
    handover: Handover | None = None

    def view(self) -> dict[str, object]:
        """The Subkey object of the venue."""
        return {
            "account_id": hex(self.account),
            "allowed_cidrs": self.allowed.view(),
            "created_at": self.created_at_ns,
            "id": self.id,
            "name": self.name,
            "public_key": hex(self.public_key),
            "revoked_at": self.revoked_at_ns,
            "state": self.state,
            "updated_at": self.updated_at_ns,
        }


class Subkeys:
    """The subkeys of all accounts. A key belongs to one account, be it as its own key or as a subkey."""

    def __init__(self, accounts: Accounts, stamps: Stamps) -> None:
        self._accounts = accounts
        self._stamps = stamps
        self._by_key: dict[int, Subkey] = {}
        self._by_account: dict[int, dict[int, Subkey]] = {}
        self._registered = 0

    def register(
        self,
        account: int,
        public_key: int,
        name: str,
        *,
        allowed: AllowList = ANYWHERE,
        handover: Handover | None = None,
    ) -> Subkey:
        """Register a key; with a handover it is pending until `activate`.

        Raises:
            VenueError: NOT_UNIQUE for a key that is or was in use, REQUEST_NOT_ALLOWED for one too many.
        """
        if public_key in self._by_key or self._accounts.find_key(public_key) is not None:
            raise VenueError("NOT_UNIQUE", "the public key is registered already")
        own = self._by_account.setdefault(account, {})
        if sum(not subkey.revoked_at_ns for subkey in own.values()) >= MOST_SUBKEYS:
            raise VenueError("REQUEST_NOT_ALLOWED", f"an account has at most {MOST_SUBKEYS} subkeys")
        self._registered += 1
        now = self._stamps.now_ns()
        state: State = ACTIVE if handover is None else PENDING
        subkey = Subkey(
            self._registered, account, public_key, name, state, now, now, allowed=allowed, handover=handover
        )
        own[public_key] = self._by_key[public_key] = subkey
        return subkey

    def find(self, account: int, public_key: int) -> Subkey:
        """An account's subkey, whatever its state.

        Raises:
            VenueError: NOT_FOUND.
        """
        subkey = self._by_key.get(public_key)
        if subkey is None or subkey.account != account:
            raise VenueError("NOT_FOUND", "the account has no such subkey")
        return subkey

    def active(self, account: int, public_key: int) -> Subkey | None:
        """The subkey, if it may act for the account now."""
        subkey = self._by_key.get(public_key)
        return subkey if subkey and subkey.account == account and subkey.state == ACTIVE else None

    def is_known(self, public_key: int) -> bool:
        """Whether the key is or was a subkey of anybody."""
        return public_key in self._by_key

    def of(self, account: int, *, with_revoked: bool = False) -> list[Subkey]:
        """An account's subkeys, oldest first."""
        own = self._by_account.get(account, {}).values()
        return [subkey for subkey in own if with_revoked or subkey.state != REVOKED]

    def rename(self, subkey: Subkey, name: str) -> None:
        """Give a subkey another name. Raises `VenueError` NOT_FOUND when it is revoked."""
        self._check_live(subkey)
        subkey.name, subkey.updated_at_ns = name, self._stamps.now_ns()

    def restrict(self, subkey: Subkey, allowed: AllowList) -> None:
        """Replace the networks it may be used from. Raises `VenueError` NOT_FOUND when it is revoked."""
        self._check_live(subkey)
        subkey.allowed, subkey.updated_at_ns = allowed, self._stamps.now_ns()

    def activate(self, subkey: Subkey) -> str:
        """Let a pending subkey act; its encrypted private key.

        Raises:
            VenueError: SUBKEY_NOT_ACTIVATABLE.
        """
        if subkey.state != PENDING or subkey.handover is None:
            raise VenueError("SUBKEY_NOT_ACTIVATABLE", f"the subkey is {subkey.state}")
        encrypted_key = subkey.handover.encrypted_key
        subkey.state, subkey.handover, subkey.updated_at_ns = ACTIVE, None, self._stamps.now_ns()
        return encrypted_key

    def revoke(self, subkey: Subkey) -> None:
        """End a subkey, with all its tokens, at once and for good. Again is no error."""
        if subkey.state == REVOKED:
            return
        now = self._stamps.now_ns()
        subkey.state, subkey.handover, subkey.revoked_at_ns, subkey.updated_at_ns = REVOKED, None, now, now
        own = self._by_account[subkey.account]
        revoked = sorted(
            (subkey for subkey in own.values() if subkey.state == REVOKED),
            key=lambda subkey: (subkey.revoked_at_ns, subkey.id),
        )
        for forgotten in revoked[:-KEPT_REVOKED_SUBKEYS]:
            del own[forgotten.public_key], self._by_key[forgotten.public_key]

    def _check_live(self, subkey: Subkey) -> None:
        if subkey.state == REVOKED:
            raise VenueError("NOT_FOUND", "the subkey is revoked")
