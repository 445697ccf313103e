"""How a key becomes a subkey: what is signed for it, and what is checked (openapi, CreateSubkey, ActivateSubkey)."""

import attrs
import msgspec

from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account, Accounts
from bot.exchange.identity.allowlist import read_cidrs
from bot.exchange.identity.login import read_public_key
from bot.exchange.identity.snip12 import array_hash
from bot.exchange.identity.stark import Signature, is_valid, parse_address, parse_number, pedersen
from bot.exchange.identity.subkeys import PENDING, Handover, Subkey, Subkeys
from bot.exchange.limits import (
    AUTH_DEFAULT_EXPIRY,
    AUTH_FUTURE_TOLERANCE,
    AUTH_LONGEST_EXPIRY,
    LONGEST_ENCRYPTED_KEY,
    LONGEST_NAME,
)
from bot.exchange.stamps import Stamps

_LATEST_SECOND = 10**12
_SECOND = 1_000_000_000
_STATES = frozenset({None, "", "active", "pending"})


class CreateSubkey(msgspec.Struct):
    """The body of a registration. ``signature`` is the main key's over account, key and both times (seconds)."""

    name: str
    public_key: str
    state: str | None = None
    allowed_cidrs: list[str] | None = None
    encrypted_key: str | None = None
    eph_public_key: str | None = None
    signature: list[str] | None = None
    signature_timestamp: int | None = None
    signature_expiry: int | None = None
    evm_signature: str | None = None
    siwe_message: str | None = None


class ActivateSubkey(msgspec.Struct):
    """The body of an activation; ``timestamp`` in seconds."""

    account_id: str
    public_key: str
    signature: list[str]
    timestamp: int
    name: str | None = None


def read_name(text: str) -> str:
    """The name of a subkey or token.

    Raises:
        VenueError: VALIDATION_ERROR: empty, or too long.
    """
    if not text.strip() or len(text) > LONGEST_NAME:
        raise VenueError("VALIDATION_ERROR", f"name is empty or longer than {LONGEST_NAME}")
    return text


@attrs.frozen
class Registration:
    """Registers and activates subkeys. ``verify`` false skips the signature arithmetic, nothing else.

    ``signed``: a registration must carry the main key's signature. The venue can ask for it (openapi), and the
    official SDK sends none. One that is sent is checked in any case.
    """

    accounts: Accounts
    subkeys: Subkeys
    stamps: Stamps
    verify: bool
    signed: bool

    def register(self, account: Account, request: CreateSubkey) -> Subkey:
        """Register a subkey of an account, active or pending.

        Raises:
            VenueError: a member is malformed, the signature does not hold, or what `Subkeys.register` raises.
        """
        name = read_name(request.name)
        public_key = read_public_key(request.public_key)
        allowed = read_cidrs(request.allowed_cidrs or ())
        if request.evm_signature or request.siwe_message:
            raise VenueError("REQUEST_NOT_ALLOWED", "the account's main key is not an EVM key")
        if request.state not in _STATES:
            raise VenueError("VALIDATION_ERROR", "state is neither active nor pending")
        handover = _read_handover(request) if request.state == PENDING else None
        if request.signature is not None:
            self._check_registration(account, public_key, request)
        elif self.signed:
            raise VenueError("INVALID_STARKNET_SIGNATURE", "a registration needs the main key's signature")
        return self.subkeys.register(account.address, public_key, name, allowed=allowed, handover=handover)

    def activate(self, request: ActivateSubkey) -> str:
        """Activate a pending subkey; its encrypted private key.

        No token is needed: who was given the ephemeral key signs with it, or the account signs with its own. The
        venue's specification names the first and its SDK the second.

        Raises:
            VenueError: NOT_FOUND, SUBKEY_NOT_ACTIVATABLE, INVALID_TIMESTAMP, a name or signature that does not hold.
        """
        try:
            address = parse_address(request.account_id)
        except ValueError as error:
            raise VenueError("INVALID_STARKNET_ADDRESS", f"account_id {error}") from error
        name = read_name(request.name) if request.name else None
        signature = _read_signature(request.signature)
        account = self.accounts.find(address)
        if account is None:
            raise VenueError("ACCOUNT_NOT_FOUND", "there is no such account")
        subkey = self.subkeys.find(address, read_public_key(request.public_key))
        if subkey.handover is None:
            raise VenueError("SUBKEY_NOT_ACTIVATABLE", f"the subkey is {subkey.state}")
        now = self.stamps.now_ns() // _SECOND
        if not now - AUTH_DEFAULT_EXPIRY <= request.timestamp <= now + AUTH_FUTURE_TOLERANCE:
            raise VenueError("INVALID_TIMESTAMP", "timestamp is in the future or too long ago")
        eph_public_key = subkey.handover.eph_public_key
        message = pedersen(request.timestamp, eph_public_key)
        if self.verify and not any(
            is_valid(key, message, signature) for key in (eph_public_key, account.public_key)
        ):
            raise VenueError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "not signed with the ephemeral key")
        encrypted_key = self.subkeys.activate(subkey)
        if name is not None:
            self.subkeys.rename(subkey, name)
        return encrypted_key

    def _check_registration(self, account: Account, public_key: int, request: CreateSubkey) -> None:
        signature = _read_signature(request.signature or [])
        timestamp, expiry = request.signature_timestamp, request.signature_expiry
        now = self.stamps.now_ns() // _SECOND
        if timestamp is None or not 0 < timestamp <= min(now + AUTH_FUTURE_TOLERANCE, _LATEST_SECOND):
            raise VenueError(
                "INVALID_TIMESTAMP", "signature_timestamp is no time in seconds, or in the future"
            )
        if expiry is None or not max(timestamp, now) < expiry <= timestamp + AUTH_LONGEST_EXPIRY:
            raise VenueError("INVALID_BLOCK_EXPIRATION", "signature_expiry is past, or not within a week")
        message = array_hash([account.address, public_key, timestamp, expiry])
        if self.verify and not is_valid(account.public_key, message, signature):
            raise VenueError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "not signed with the main key")


def _read_handover(request: CreateSubkey) -> Handover:
    encrypted_key = request.encrypted_key or ""
    if not encrypted_key or len(encrypted_key) > LONGEST_ENCRYPTED_KEY:
        raise VenueError("VALIDATION_ERROR", "a pending subkey needs its encrypted_key")
    if not request.eph_public_key:
        raise VenueError("VALIDATION_ERROR", "a pending subkey needs an eph_public_key")
    return Handover(encrypted_key, read_public_key(request.eph_public_key))


def _read_signature(parts: list[str]) -> Signature:
    try:
        first, second = map(parse_number, parts)
    except ValueError as error:
        raise VenueError("INVALID_STARKNET_SIGNATURE", "signature is no array of two numbers") from error
    return first, second
