"""Where the private key is found, the type that never shows one, and what removes them from text."""

import os
import re
import secrets
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, final

import attrs

from bot.core.setting import setting
from bot.core.tape import HIDDEN
from bot.link.signer import CURVE_ORDER


@attrs.frozen
class AccountSettings:
    """The ``[account]`` table: whose orders these are, and where the key is. Never the key itself."""

    address: str = setting(
        "", "account address, 0x…; empty to derive it from the key (a subkey must name it)"
    )
    ethereum_address: str = setting(
        "", "the account's Ethereum address, 0x…; needed once, where the venue does not know the account yet"
    )
    key_name: str = setting("paradex-key", "file name looked for in $CREDENTIALS_DIRECTORY and /run/secrets")
    key_file: str = setting("", "file of mode 0600 that holds the private key; ~ is understood")
    key_env: str = setting("PARADEX_PRIVATE_KEY", "environment variable that holds the private key")


@final
class Secret:
    """Text that only ``reveal`` shows: not repr, str, format, pickle or copy.

    No attrs class, because msgspec would encode the fields of one.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself. Every call of this is a place to review."""
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied")


class KeyUnavailableError(Exception):
    """There is no usable private key where the settings say. The message tells where and how to mend it."""


@attrs.frozen
class FoundKey:
    """A private key (0x and hex digits) and the words for where it came from."""

    secret: Secret
    source: str
    mode: int | None = None
    """The permission bits of its file; None for one that was in no file."""


def new_key() -> Secret:
    """A fresh private key, in 1 … N-1, from the system's randomness."""
    return Secret(hex(1 + secrets.randbelow(CURVE_ORDER - 1)))


def find_key(
    account: AccountSettings, environ: Mapping[str, str], *, run_secrets: Path = Path("/run/secrets")
) -> FoundKey:
    """The private key from the first place that has one.

    These are ``$CREDENTIALS_DIRECTORY``, ``/run/secrets``, ``key_file`` and the environment variable
    ``key_env``. What exists but cannot be used is an error: the next place might hold another account's key.
    Whether the number is in the curve's range is the signer's to say.

    Raises:
        KeyUnavailableError: no place has a key, or the first that has one is refused.
    """
    for source, text, mode in _places(account, environ, run_secrets):
        key = text.strip()
        if not _KEY.fullmatch(key):
            raise KeyUnavailableError(f"{source} holds no private key: that is 0x and 1 to 64 hex digits")
        return FoundKey(Secret(key), source, mode)
    looked_in = [
        f"$CREDENTIALS_DIRECTORY/{account.key_name}",
        str(run_secrets / account.key_name),
        "account.key_file",
        f"the environment variable {account.key_env}",
    ]
    raise KeyUnavailableError("no private key found; looked in " + ", ".join(looked_in))


_KEY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_KEY_FILE_LIMIT = 1024  # bytes; a key has 66


def _places(
    account: AccountSettings, environ: Mapping[str, str], run_secrets: Path
) -> Iterator[tuple[str, str, int | None]]:
    """``(source, text, mode)`` of each place that has something, in order."""
    mounted = [run_secrets]
    if environ.get("CREDENTIALS_DIRECTORY"):
        mounted.insert(0, Path(environ["CREDENTIALS_DIRECTORY"]))
    for folder in mounted if account.key_name else ():
        path = folder / account.key_name
        try:
            text, mode = _read(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise KeyUnavailableError(f"{path}: {error.strerror}") from error
        yield str(path), text, mode
    if account.key_file:
        try:
            path = Path(account.key_file).expanduser()
            text, mode = _read(path, private=True)
        except OSError as error:
            raise KeyUnavailableError(f"{path} (account.key_file): {error.strerror}") from error
        except RuntimeError as error:  # pathlib's, for a ~user that does not exist
            raise KeyUnavailableError(f"{account.key_file} (account.key_file): {error}") from error
        yield str(path), text, mode
    if environ.get(account.key_env):
        yield f"the environment variable {account.key_env}", environ[account.key_env], None


def _read(path: Path, *, private: bool = False) -> tuple[str, int]:
    """Text and mode of a small regular file; a private one must be ours, and nobody else's to read or write.

    The checks are made on the open file, so that no other can take its place in between. What mounts
    credentials (systemd, a container) chooses owner and mode itself, so those are not judged.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang the start
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyUnavailableError(f"{path} is not a regular file")
        if private and status.st_uid != os.geteuid():
            raise KeyUnavailableError(
                f"{path} belongs to user {status.st_uid}, not to the one running the bot: chown it"
            )
        mode = stat.S_IMODE(status.st_mode)
        if private and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnavailableError(f"{path} has mode {mode:04o}, others may use it: chmod 600 {path}")
        return file.read(_KEY_FILE_LIMIT).decode("ascii", "replace"), mode


class Redactor:
    """Removes from any text the secrets it was told of, and whatever looks like a token or a signature.

    One is made by whoever starts the bot. Who learns a secret, or whose account this is, tells it; who writes for
    people or files asks it.
    """

    def __init__(self) -> None:
        self.account: frozenset[bytes] = frozenset()
        """Whose session it is: address, public key and Ethereum address as hex digits, without 0x and padding, in
        lower case. They are no secrets, and stay in the log; the journal may have to do without them."""

        self._keys: list[_Forms] = []
        self._tokens: deque[_Forms] = deque(maxlen=TOKENS_REMEMBERED)
        self._probes: tuple[bytes, ...] = ()
        self._known = re.compile(b"")

    def register(self, secret: Secret) -> None:
        """From now on hide this one too; a key in all its forms: decimal, hex with and without 0x or padding."""
        self._keys.append(_Forms.of(secret.reveal()))
        self._compile()

    def register_token(self, token: Secret) -> None:
        """As `register`, of one that is good for some minutes: the `TOKENS_REMEMBERED` last are hidden.

        A token is renewed at 60 % of its life, or when the venue refuses it. So the one before the last has expired,
        or is of no use; the others are for venues whose tokens live longer than they say. A JWT looks like one.
        """
        if not _JWT.fullmatch(token.reveal()):
            self._tokens.append(_Forms.of(token.reveal()))
            self._compile()

    def register_account(self, *numbers: str) -> None:
        """Tell whose session this is: numbers as hexadecimal text, empty where there is none."""
        digits = (number.lower().removeprefix("0x").lstrip("0").encode() for number in numbers)
        self.account |= {number for number in digits if len(number) >= _SHORT}

    def redact(self, text: str) -> str:
        """The text with each secret replaced by ``<hidden>``."""
        text = self.hide(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")
        return _TOKENS.sub(lambda match: (match["name"] or "") + HIDDEN, text)

    def hide(self, data: bytes) -> bytes:
        """``data`` with each secret that was registered replaced by ``<hidden>``; itself, if there is none."""
        lowered = data.lower()
        for probe in self._probes:
            if probe in lowered:
                return self._known.sub(HIDDEN.encode(), data)
        return data

    def _compile(self) -> None:
        longest_first = sorted((*self._keys, *self._tokens), key=lambda forms: forms.length, reverse=True)
        self._probes = tuple({probe for forms in longest_first for probe in forms.probes})
        patterns = [pattern for forms in longest_first for pattern in forms.patterns]
        self._known = re.compile(b"|".join(patterns), re.IGNORECASE)


TOKENS_REMEMBERED = 4

_JWT = re.compile(r"eyJ [\w-]{10,} [\w.=-]*", re.ASCII | re.VERBOSE)

# Headers as they stand in messages, in JSON and in the repr of dicts and of lists of bytes; and tokens and signatures
# alone. No order id, and no number that people want to read, is half as long as those of a signature.
_TOKENS = re.compile(
    r"""
    (?P<name>
        (?i: authorization | paradex[-_]starknet[-_]signature )
        ["'\\]* \s* [:=,] \s* (?: b?["'\\]+ )?
        (?i: bearer\s+ | basic\s+ )?
      | (?i: bearer\s+ ) (?= [\w.~+/=-]{16} )
      | (?<! [\w-] ) (?i: signature | jwt_token | bearer )
        ["'\\]* \s* [:=] \s* ["'\\]* (?= \[? ["'\\]* [\w.~+/=-]{16} )
    )
    (?: \[ [^\]\n]* \]? | [^\s"',)\]}\\]+ )
  | """
    + _JWT.pattern
    + r"| [0-9]{60,}",
    re.ASCII | re.VERBOSE,
)

# A shorter number would be hidden in the middle of others; no real key is shorter.
_SHORT = 16  # hex digits


@attrs.frozen
class _Forms:
    """The ways to write one secret down, as patterns; ``probes`` are texts in lower case of which each has one."""

    length: int
    probes: tuple[bytes, ...]
    patterns: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> "_Forms":
        """Without text there is nothing to hide."""
        if not _KEY.fullmatch(text):
            runs = re.findall(rb"[a-z0-9]*", text.encode().lower())
            spelled = b"".join(map(_spelled, text))
            return cls(len(text), (max(runs, key=len),), (spelled,)) if text else cls(0, (), ())
        number = int(text, 16)
        digits, decimal = b"%x" % number, b"%d" % number
        alone = rb"(?<![0-9a-z])%b(?![0-9a-z])" if number < 16**_SHORT else b"%b"
        # The 0 of 0x may be one of an escape of JSON.
        patterns = (alone % (rb"(?:(?<!\\u[0-9a-f]{3})0x0{0,64})?" + digits), alone % decimal)
        return cls(len(text), (digits, decimal), patterns)


def _spelled(letter: str) -> bytes:
    """A pattern for one character of a secret: as it is, after backslashes, or as JSON and URLs escape it."""
    raw = letter.encode()
    if raw.isalnum():
        return raw
    in_url = b"".join(b"%%(?:25)*%02x" % byte for byte in raw)
    return rb"(?:\\*%b|%b|\\+u%04x)" % (re.escape(raw), in_url, ord(letter))
