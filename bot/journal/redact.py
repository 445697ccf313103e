"""Takes out of a record what must not be in a file: keys, tokens, signatures, and whose session it is.

Whoever writes a record leaves out what is known there to be secret. This is the net behind them all, for what the
venue repeats: an error that quotes the token, an order report with the signature on it. And it is where accounts get
other names.

What is a number stays one, of the same length and writing: hexadecimal, padded, in capitals. It becomes a keyed hash
of the number. So a frame is decoded as before, what was equal is equal, and a replay decides the same.
"""

import os
import re
import secrets
import stat
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b, shake_256
from pathlib import Path
from typing import Protocol

import msgspec

from bot.core.tape import HIDDEN
from bot.journal.private import new_file

KEY_SIZE = 32  # bytes
KEY_NAME = "account-hash.key"

Clean = Callable[[bytes], bytes]
"""From the JSON of a record to JSON of the same shape that may be kept. It never fails."""


class Known(Protocol):
    """What the run knows of its secrets and of itself; it may learn more at any time."""

    @property
    def account(self) -> frozenset[bytes]:
        """Address, public key and Ethereum address: hex digits, without 0x and padding, in lower case."""
        ...

    def hide(self, data: bytes) -> bytes:
        """``data``, itself if there is nothing to hide, with `HIDDEN` for every secret that is known."""
        ...


class UnusableKeyError(ValueError):
    """There is no key for hashing accounts, or it must not be used. The message tells why, and how to mend it."""


def hashing_key(folder: Path) -> bytes:
    """The key under which accounts are hashed in the sessions in ``folder``. It is made once, and stays there.

    Two sessions can be compared if one key hashed both, and nobody without it can try all accounts there are.

    Raises:
        UnusableKeyError: others may read it, it is none, or it can neither be read nor made.
    """
    path = folder / KEY_NAME
    try:
        if not path.exists():
            _make_key(path)
        return _read_key(path)
    except OSError as error:
        raise UnusableKeyError(f"{path}: the key for hashing accounts: {error.strerror}") from error


def _read_key(path: Path) -> bytes:
    """The checks are made on the open file, so that no other can take its place in between."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang the start
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableKeyError(f"{path} is not a regular file")
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UnusableKeyError(
                f"{path} is not ours alone: chown it to the user of the bot, and chmod 600 it"
            )
        key = file.read(KEY_SIZE + 1)
    if len(key) != KEY_SIZE:
        raise UnusableKeyError(f"{path} is no key of {KEY_SIZE} bytes: remove it, and another is made")
    return key


def _make_key(path: Path) -> None:
    """Under another name first: of two bots that begin together, neither may read half a key."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = new_file(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_SIZE))
        try:
            os.link(draft, path)  # unlike a renaming, it leaves what is there already
        except FileExistsError:
            return
    finally:
        draft.unlink()


class Cleaner:
    """Makes records fit to be kept. ``keeps_account`` leaves our own account as it is, and nothing else."""

    def __init__(self, key: bytes, known: Known, *, keeps_account: bool = False) -> None:
        self._known = known
        self._keeps_account = keeps_account
        self._hex_pattern = _HEX_BUT_HASHES if keeps_account else _HEX
        self._bare_pattern = lru_cache(maxsize=1)(_bare_pattern)
        self._hash = lru_cache(maxsize=1024)(_Hash(key))

    def clean(self, payload: bytes) -> bytes:
        """A `Clean`. It is on the way of every order: what is rare is looked for before anything is done about it."""
        if b"eyJ" in payload:
            payload = _JWT.sub(_HIDDEN, payload)
        hidden = self._known.hide(payload)
        if hidden is not payload:
            payload = _still_json(hidden, payload)
        payload = self._hex_pattern.sub(self._hex, payload)
        if _LONG_RUN in payload.translate(_RUNS):
            payload = _HEX_IN_CAPITALS.sub(self._hex, payload)
            payload = self._bare_pattern(self._known.account).sub(self._bare, payload)
        for name, pattern in _BY_NAME:
            # Searched first: to find nothing and leave it is a tenth of the work of replacing nothing.
            if name in payload and pattern.search(payload):
                payload = pattern.sub(rb"\g<name>" + _HIDDEN, payload)
        return payload

    def _hex(self, match: re.Match[bytes]) -> bytes:
        """In place of a number behind 0x."""
        whole: bytes = match[0]
        digits = match["digits"]
        if digits.lower() in self._known.account:
            stays = self._keeps_account
        else:
            start = match.start()
            stays = _CLASS in match.string and bool(
                _CLASS_HASH.search(match.string, max(0, start - _LONGEST_NAME), start)
            )
        return whole if stays else whole[: -len(digits)] + self._hashed(b"x", digits)

    def _bare(self, match: re.Match[bytes]) -> bytes:
        """In place of a number that stands for itself: a decimal one, one of our own, or what is as long as these."""
        whole: bytes = match[0]
        match match.lastgroup:
            case "hex" | "ours" if self._keeps_account:
                return whole
            case "hex" | "bare":
                return self._hashed(b"x", whole)
            case "ours" | "decimal":
                return self._hashed(b"d", whole)
        return whole

    def _hashed(self, base: bytes, digits: bytes) -> bytes:
        """The hash of a number, written as the number is: in capitals or not."""
        hash_of = self._hash if len(digits) <= _LONGEST_KEPT else self._hash.__wrapped__
        hashed = hash_of(base, digits.lower())
        return hashed.upper() if digits.isupper() else hashed


class _Hash:
    """From the digits of a number to those of its hash: as many, and the first is not 0.

    The last digits tell that it is a hash, so that cleaning once more changes nothing: a replay cleans what it makes
    from a record that was cleaned.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, base: bytes, digits: bytes) -> bytes:
        if self._seal(base, digits[:-_SEAL]) == digits[-_SEAL:]:
            return digits
        body = self._digits(b"number", base, digits, len(digits) - _SEAL)
        # Below 8 stays below 8: that is where an element of the field, of 63 digits, has to be. The rest stays above.
        first = _FIRST_DIGITS[base, digits[0] < _EIGHT][body[0] % 7]
        body = b"%c%b" % (first, body[1:])
        return body + self._seal(base, body)

    def _seal(self, base: bytes, body: bytes) -> bytes:
        return self._digits(b"seal", base, body, _SEAL)

    def _digits(self, purpose: bytes, base: bytes, content: bytes, count: int) -> bytes:
        if count <= blake2b.MAX_DIGEST_SIZE:  # a third of the time, and an order waits for it
            stream = blake2b(b"%b %b" % (base, content), key=self._key, person=purpose).digest()[:count]
        else:
            stream = shake_256(b"%b%b %b %b" % (self._key, purpose, base, content)).digest(count)
        return stream.translate(_DIGITS[base])


_HIDDEN = HIDDEN.encode()

# Numbers of at least so many digits, leading zeros aside, are elements of the field, Ethereum addresses, or hashes.
# An order id has 28, a time in ns 19; without 0x, an id or a digest may have 32 hexadecimal ones, or 40.
_HEX_DIGITS, _BARE_HEX_DIGITS, _DECIMAL_DIGITS = 32, 48, 40

_LONGEST_KEPT = 100  # digits of a number whose hash is remembered: a whole frame may be one number

_SEAL = 12  # digits: by chance one number in 16¹² or 10¹² looks as if it were a hash

# Patterns that begin with plain letters are searched ten times as fast as others. What is behind the x of a word is
# taken for hexadecimal, too.
_BEHIND_X = rb"0*+(?P<digits>[1-9a-fA-F][0-9a-fA-F]{%d,})" % (_HEX_DIGITS - 1)
_HEX_IN_CAPITALS = re.compile(rb"X" + _BEHIND_X)

# A run of digits, hexadecimal or not, that is longer than the digest of a signature and does not stand behind an x.
# The patterns for these take twenty times as long to find out that there is none.
_RUNS = bytes(
    ord("x" if byte in b"x" else "0" if byte in b"0123456789abcdefABCDEF" else " ") for byte in range(256)
)
_LONG_RUN = b" " + b"0" * 33


def _bare_pattern(account: frozenset[bytes]) -> re.Pattern[bytes]:
    """Digits of an escape are none of a number behind it, and those of a hexadecimal number none of a decimal one."""
    nothing = rb"(?!)"
    decimal = (b"%d" % int(number, 16) for number in account)
    return re.compile(
        rb"\\u[0-9a-fA-F]{4}|\\+[bf]|[xX][0-9a-fA-F]+|(?P<hex>(?i:%b))|(?P<ours>%b)"
        rb"|(?P<decimal>[1-9][0-9]{%d,})|(?P<bare>[1-9a-fA-F][0-9a-fA-F]{%d,})"
        % (
            b"|".join(account) or nothing,
            b"|".join(decimal) or nothing,
            _DECIMAL_DIGITS - 1,
            _BARE_HEX_DIGITS - 1,
        )
    )


_JWT = re.compile(rb"eyJ[\w-]{10,}[\w.=-]*")

# In any nesting of JSON in the texts of JSON, which the backslashes before a quote tell. Numbers are hashed already,
# and a list of them stays one. The first letter of a name may be a capital or not.
_COLON = rb'(?P<slashes>\\*)"\s*:\s*(?P=slashes)"'
_TEXT = rb'(?!%b|\[|0[xX][0-9a-fA-F]{%d}|[0-9]{%d})(?:[^"\\]|\\+[^"\\])++' % (
    _HIDDEN,
    _HEX_DIGITS,
    _DECIMAL_DIGITS,
)
_BY_NAME = (
    (b"ignature", re.compile(rb"(?P<name>ignature%b)%b" % (_COLON, _TEXT))),
    (b"wt_token", re.compile(rb"(?P<name>wt_token%b)%b" % (_COLON, _TEXT))),
    (
        b"earer",
        re.compile(rb'(?P<name>earer(?: +|%b))(?:(?<= )[\w.~+/=-]{16,}|(?<=")%b)' % (_COLON, _TEXT)),
    ),
)

# What stays as it is, by the name in front of it.
#
# A struct hash says what was ordered, and not by whom. The message hash covers it and the account: with the one,
# whoever tries all accounts there are finds in minutes which of them gives the other. So it is hashed where the
# account is. Who has the private key compares the digest of the signature, which tells as much. A bare quote behind
# the name is ours: whatever the venue says stands in a text, with a backslash before each quote.
_HEX = re.compile(rb'x(?<!"struct_hash":"0x)' + _BEHIND_X)
_HEX_BUT_HASHES = re.compile(rb'x(?<!"struct_hash":"0x)(?<!"message_hash":"0x)' + _BEHIND_X)

# The class hashes are the same for everybody, and from them follows which address belongs to a key.
_CLASS = b"paraclear_account"
_CLASS_HASH = re.compile(rb'paraclear_account(?:_proxy)?_hash\\*"\s*:\s*\\*"0\Z')
_LONGEST_NAME = 64  # bytes, quotes and their backslashes included

_DIGITS = {
    b"x": bytes(b"0123456789abcdef"[byte % 16] for byte in range(256)),
    b"d": bytes(b"0123456789"[byte % 10] for byte in range(256)),
}
_EIGHT = ord("8")
_FIRST_DIGITS = {
    (b"x", True): b"1234567",
    (b"x", False): b"89abcde",
    (b"d", True): b"1234567",
    (b"d", False): b"8989898",
}


def _still_json(hidden: bytes, payload: bytes) -> bytes:
    """``hidden``, unless a secret looked like JSON itself: then of ``payload`` nothing is kept but its place."""
    try:
        msgspec.json.decode(hidden)
    except (ValueError, RecursionError):
        *place, _ = msgspec.json.decode(payload)
        return msgspec.json.encode([*place, HIDDEN])
    return hidden
