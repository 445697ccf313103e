"""Onboarding and authentication: the checks of the headers clients sign (protocol reference 2.2)."""

import re

import attrs
import msgspec

from bot.exchange.errors import UNREADABLE, VenueError
from bot.exchange.identity.accounts import Account, Accounts
from bot.exchange.identity.config import ACCOUNT_HASH, PROXY_HASH
from bot.exchange.identity.snip12 import Messages, account_address
from bot.exchange.identity.stark import Signature, is_public_key, is_valid, parse_address, parse_signature
from bot.exchange.identity.subkeys import Subkey, Subkeys
from bot.exchange.identity.tokens import Tokens
from bot.exchange.limits import AUTH_DEFAULT_EXPIRY, AUTH_FUTURE_TOLERANCE, AUTH_LONGEST_EXPIRY
from bot.exchange.stamps import Stamps

_ETHEREUM_DIGITS = 40
_LATEST_SECOND = 10**12


class _Utm(msgspec.Struct):
    campaign: str | None = None
    source: str | None = None
    type: str | None = None


class _Onboarding(msgspec.Struct):
    public_key: str
    referral_code: str | None = None
    marketing_code: str | None = None
    utm: _Utm | None = None
    portfolio_margin: bool | None = None


_ONBOARDING = msgspec.json.Decoder(_Onboarding)
_REFERRAL_CODE = re.compile(r"[\w-]{1,64}", re.ASCII)
_MARKETING_CODE = re.compile(r"[\w:.-]{1,100}", re.ASCII)


def read_public_key(text: str) -> int:
    """A public key of the curve.

    Raises:
        VenueError: PUBLIC_KEY_INVALID.
    """
    try:
        value = parse_address(text)
    except ValueError as error:
        raise VenueError("PUBLIC_KEY_INVALID", f"public key {error}") from error
    if not is_public_key(value):
        raise VenueError("PUBLIC_KEY_INVALID", "public key is not on the curve")
    return value


def derive(public_key: int) -> int:
    """The address of the account this key controls on the exchange's chain."""
    return account_address(public_key, ACCOUNT_HASH, PROXY_HASH)


@attrs.frozen
class Login:
    """Lets accounts in. ``verify`` false skips the signature arithmetic, nothing else."""

    accounts: Accounts
    subkeys: Subkeys
    messages: Messages
    tokens: Tokens
    stamps: Stamps
    verify: bool

    def onboard(self, headers: dict[str, str], body: bytes) -> None:
        """Register the account of a public key; again is no error.

        Codes of referrals and campaigns mean nothing here and are not kept, but are refused when no code could look
        like that.

        Raises:
            VenueError: a header or the body is malformed, the address is not the key's, the signature is wrong, or
                the key is a subkey of another account.
        """
        try:
            request = _ONBOARDING.decode(body)
        except UNREADABLE as error:
            raise VenueError("BINDING_ERROR", f"malformed body: {error}") from error
        _check_extras(request)
        public_key = read_public_key(request.public_key)
        ethereum = headers.get("paradex-ethereum-account", "")
        if not _is_ethereum_address(ethereum):
            raise VenueError(
                "INVALID_ETHEREUM_ADDRESS", "PARADEX-ETHEREUM-ACCOUNT is not an Ethereum address"
            )
        address = _read_account(headers)
        signature = _read_signature(headers)
        if derive(public_key) != address:
            raise VenueError("INVALID_STARKNET_ADDRESS", "the account address is not the public key's")
        if self.verify and not is_valid(public_key, self.messages.onboarding(address), signature):
            raise _wrong_signature()
        if self.subkeys.is_known(public_key):
            raise VenueError("INVALID_SUBKEY", "a subkey cannot onboard")
        now_ms = self.stamps.now_ms()
        self.accounts.onboard(Account(address, public_key, ethereum, now_ms))

    def authenticate(
        self, headers: dict[str, str], key_in_path: str | None, ip: str, *, interactive: bool
    ) -> str:
        """A JWT for an onboarded account that signed a request for one, from this address.

        Without a key in the path the account's own must have signed; a subkey has to be named there.

        Raises:
            VenueError: malformed headers, timestamps that do not hold, an account never onboarded, a key that is
                not the account's (any more), a wrong signature, an address that the subkey may not be used from.
        """
        address = _read_account(headers)
        signature = _read_signature(headers)
        timestamp, expiration = self._read_times(headers)
        key = None if key_in_path is None else read_public_key(key_in_path)
        account = self.accounts.find(address)
        if account is None:
            raise VenueError("NOT_ONBOARDED", "User has never called /onboarding endpoint")
        if key is None:
            key = account.public_key
        subkey = None if key == account.public_key else self._subkey(address, key)
        message = self.messages.auth(address, timestamp, expiration)
        if self.verify and not is_valid(key, message, signature):
            raise _wrong_signature()
        if subkey is not None:
            subkey.allowed.check(ip)
        return self.tokens.issue(address, key, interactive=interactive).text

    def _subkey(self, address: int, key: int) -> Subkey:
        subkey = self.subkeys.active(address, key)
        if subkey is None:
            raise VenueError("INVALID_SUBKEY", "the key in the path is no active key of the account")
        return subkey

    def _read_times(self, headers: dict[str, str]) -> tuple[int, int]:
        """Timestamp and expiration, in seconds.

        A timestamp in the past is good for as long as the signature has not expired.
        """
        now = self.stamps.now_ns() // 1_000_000_000
        timestamp = _read_seconds(headers.get("paradex-timestamp", ""))
        if timestamp is None or timestamp > now + AUTH_FUTURE_TOLERANCE:
            raise VenueError(
                "INVALID_TIMESTAMP", "PARADEX-TIMESTAMP is not a time in seconds, or in the future"
            )
        text = headers.get("paradex-signature-expiration", "")
        expiration = _read_seconds(text) if text else timestamp + AUTH_DEFAULT_EXPIRY
        if expiration is None or not timestamp < expiration <= timestamp + AUTH_LONGEST_EXPIRY:
            raise VenueError("INVALID_BLOCK_EXPIRATION", "PARADEX-SIGNATURE-EXPIRATION is not within a week")
        if expiration <= now:
            raise VenueError("INVALID_BLOCK_EXPIRATION", "the signature has expired")
        return timestamp, expiration


def _check_extras(request: _Onboarding) -> None:
    if request.referral_code and not _REFERRAL_CODE.fullmatch(request.referral_code):
        raise VenueError("INVALID_REFERRAL_CODE", "referral_code is malformed")
    if request.marketing_code and not _MARKETING_CODE.fullmatch(request.marketing_code):
        raise VenueError("INVALID_MARKETING_CODE", "marketing_code is malformed")
    if request.portfolio_margin:
        raise VenueError("PORTFOLIO_MARGIN_ONBOARDING_DISABLED", "there is no portfolio margin here")


def _wrong_signature() -> VenueError:
    return VenueError(
        "STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not the key's over this message"
    )


def _read_seconds(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    seconds = int(text)
    return seconds if 0 < seconds < _LATEST_SECOND else None


def _is_ethereum_address(text: str) -> bool:
    digits = text[2:]
    return (
        text[:2] == "0x"
        and len(digits) == _ETHEREUM_DIGITS
        and all(c in "0123456789abcdefABCDEF" for c in digits)
    )


def _read_account(headers: dict[str, str]) -> int:
    try:
        return parse_address(headers.get("paradex-starknet-account", ""))
    except ValueError as error:
        raise VenueError("INVALID_STARKNET_ADDRESS", f"PARADEX-STARKNET-ACCOUNT {error}") from error


def _read_signature(headers: dict[str, str]) -> Signature:
    try:
        return parse_signature(headers.get("paradex-starknet-signature", ""))
    except ValueError as error:
        raise VenueError("INVALID_STARKNET_SIGNATURE", str(error)) from error
