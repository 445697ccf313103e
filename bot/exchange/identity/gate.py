"""Who is let in, and what they may do: tokens, subkeys and allow-lists in one answer (protocol reference 2.2)."""

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account, Accounts
from bot.exchange.identity.readonly import ReadOnlyTokens
from bot.exchange.identity.subkeys import Subkeys
from bot.exchange.identity.tokens import READ, Grant, TokenRefused, Tokens


@attrs.frozen
class Gate:
    """Asks the registers anew each time: what is revoked is revoked at once, also on open sockets."""

    accounts: Accounts
    subkeys: Subkeys
    tokens: Tokens
    readonly: ReadOnlyTokens

    def admit(self, token: str, ip: str) -> tuple[Account, Grant]:
        """The account that a token, used from this address, speaks for, and what it grants.

        Raises:
            TokenRefused: not a token of this exchange, expired, or revoked.
            VenueError: NOT_ONBOARDED, or IP_NOT_ALLOWED.
        """
        grant = self.tokens.check(token)
        account = self.accounts.find(grant.account)
        if account is None:
            raise VenueError("NOT_ONBOARDED", "User has never called /onboarding endpoint")
        if grant.scope == READ:
            read_only = self.readonly.valid(grant.serial)
            if read_only is None:
                raise TokenRefused("token is revoked", malformed=False)
            read_only.allowed.check(ip)
        elif grant.key != account.public_key:
            subkey = self.subkeys.active(account.address, grant.key)
            if subkey is None:
                raise TokenRefused("the subkey of the token is revoked", malformed=False)
            subkey.allowed.check(ip)
        return account, grant

    def may_trade(self, grant: Grant, ip: str | None = None) -> bool:
        """Whether what was granted still permits orders, from this address if one is given.

        Not with a read-only token, and not after its subkey was revoked (release 2026-10-09), although a socket
        stays authenticated then, and when its token expires.
        """
        account = self.accounts.find(grant.account)
        if account is None or grant.scope == READ:
            return False
        if grant.key == account.public_key:
            return True
        subkey = self.subkeys.active(account.address, grant.key)
        return subkey is not None and (ip is None or subkey.allowed.permits(ip))

    def is_own_key(self, grant: Grant) -> bool:
        """Whether the account's own key stands behind a grant, which alone may manage keys and tokens."""
        account = self.accounts.find(grant.account)
        return account is not None and grant.scope != READ and grant.key == account.public_key

    def signing_keys(self, account: Account) -> tuple[int, ...]:
        """Every public key that may sign for an account now, its own first."""
        subkeys = self.subkeys.of(account.address)
        active = (
            subkey.public_key for subkey in subkeys if self.subkeys.active(account.address, subkey.public_key)
        )
        return (account.public_key, *active)
