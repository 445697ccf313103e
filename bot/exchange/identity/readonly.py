"""Read-only tokens: long-lived, revocable, and good for GET only (protocol reference 2.2; openapi, ApiToken)."""

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.allowlist import ANYWHERE, AllowList
from bot.exchange.identity.tokens import READ, Tokens
from bot.exchange.limits import (
    KEPT_INVALID_TOKENS,
    LONGEST_TOKEN_LIFE,
    MOST_TOKENS,
    SHORTEST_TOKEN_LIFE,
)
from bot.exchange.stamps import Stamps

_SECOND = 1_000_000_000


@attrs.define
class ReadOnlyToken:
    """What is remembered of a token that was handed out; its text is not. Times in ns, 0: not revoked."""

    serial: int
    lookup_id: str
    account: int
    name: str
    kind: str
    created_at_ns: int
    updated_at_ns: int
    expiry_at_ns: int
    revoked_at_ns: int = 0
    allowed: AllowList = ANYWHERE

    def is_valid(self, now_ns: int) -> bool:
        return not self.revoked_at_ns and now_ns < self.expiry_at_ns

    def view(self) -> dict[str, object]:
        """The ApiToken object of the venue."""
        return {
            "allowed_cidrs": self.allowed.view(),
            "created_at": self.created_at_ns,
            "expiry_at": self.expiry_at_ns,
            "kind": self.kind,
            "last_updated_at": self.updated_at_ns,
            "lookup_id": self.lookup_id,
            "name": self.name,
            "revoked_at": self.revoked_at_ns,
            "token_id": f"token_{self.serial}",
        }


class ReadOnlyTokens:
    """The read-only tokens of all accounts."""

    def __init__(self, tokens: Tokens, stamps: Stamps) -> None:
        self._tokens = tokens
        self._stamps = stamps
        self._by_serial: dict[int, ReadOnlyToken] = {}
        self._by_account: dict[int, dict[str, ReadOnlyToken]] = {}

    def create(
        self, account: int, key: int, name: str, kind: str, seconds: int, allowed: AllowList
    ) -> tuple[ReadOnlyToken, str]:
        """Make a token for an account that lives so long, and its text, which is shown this once.

        Raises:
            VenueError: INVALID_REQUEST_PARAMETER for its life, TOKEN_LIMIT_REACHED for one too many.
        """
        if not SHORTEST_TOKEN_LIFE <= seconds <= LONGEST_TOKEN_LIFE:
            raise VenueError("INVALID_REQUEST_PARAMETER", "expiry_duration is not from 1 minute to 1 year")
        now = self._stamps.now_ns()
        own = self._by_account.setdefault(account, {})
        self._forget(own, now)
        if sum(token.is_valid(now) for token in own.values()) >= MOST_TOKENS:
            raise VenueError("TOKEN_LIMIT_REACHED", f"an account has at most {MOST_TOKENS} tokens")
        issued = self._tokens.issue(account, key, scope=READ, seconds=seconds)
        token = ReadOnlyToken(
            serial=issued.serial,
            lookup_id=self._stamps.new_id(),
            account=account,
            name=name,
            kind=kind,
            created_at_ns=now,
            updated_at_ns=now,
            expiry_at_ns=issued.expires_at_s * _SECOND,
            allowed=allowed,
        )
        own[token.lookup_id] = self._by_serial[token.serial] = token
        return token, issued.text

    def valid(self, serial: int) -> ReadOnlyToken | None:
        """The token of this number, if it holds now."""
        token = self._by_serial.get(serial)
        return token if token is not None and token.is_valid(self._stamps.now_ns()) else None

    def find(self, account: int, lookup_id: str) -> ReadOnlyToken:
        """An account's token, whether it still holds or not.

        Raises:
            VenueError: NOT_FOUND.
        """
        token = self._by_account.get(account, {}).get(lookup_id)
        if token is None:
            raise VenueError("NOT_FOUND", "the account has no such token")
        return token

    def of(self, account: int, *, kind: str | None = None, with_invalid: bool = False) -> list[ReadOnlyToken]:
        """An account's tokens, oldest first."""
        now = self._stamps.now_ns()
        return [
            token
            for token in self._by_account.get(account, {}).values()
            if kind in {None, token.kind} and (with_invalid or token.is_valid(now))
        ]

    def restrict(self, token: ReadOnlyToken, allowed: AllowList) -> None:
        """Replace the networks it may be used from.

        Raises:
            VenueError: NOT_FOUND when it does not hold any more.
        """
        now = self._stamps.now_ns()
        if not token.is_valid(now):
            raise VenueError("NOT_FOUND", "the token is revoked or expired")
        token.allowed, token.updated_at_ns = allowed, now

    def revoke(self, token: ReadOnlyToken) -> None:
        """End a token at once. Again is no error."""
        if not token.revoked_at_ns:
            token.revoked_at_ns = token.updated_at_ns = self._stamps.now_ns()

    def _forget(self, own: dict[str, ReadOnlyToken], now_ns: int) -> None:
        invalid = [token for token in own.values() if not token.is_valid(now_ns)]
        for token in invalid[:-KEPT_INVALID_TOKENS]:
            del own[token.lookup_id], self._by_serial[token.serial]
