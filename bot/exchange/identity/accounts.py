"""Who may trade: onboarded accounts and their keys."""

from collections.abc import Callable, Iterator

import attrs


@attrs.frozen
class Account:
    """An onboarded account: its address and public key as felts, and when it came, in ms."""

    address: int
    public_key: int
    ethereum_address: str
    onboarded_at_ms: int


class Accounts:
    """The register of accounts. ``welcome`` is called with the address of each that joins."""

    def __init__(self, welcome: Callable[[int], object]) -> None:
        self._by_address: dict[int, Account] = {}
        self._by_key: dict[int, Account] = {}
        self._welcome = welcome

    def onboard(self, account: Account) -> bool:
        """Register an account. False when it was already here, which is no error (protocol reference 2.2)."""
        if account.address in self._by_address:
            return False
        self._by_address[account.address] = self._by_key[account.public_key] = account
        self._welcome(account.address)
        return True

    def find(self, address: int) -> Account | None:
        return self._by_address.get(address)

    def find_key(self, public_key: int) -> Account | None:
        """The account whose own key this is."""
        return self._by_key.get(public_key)

    def __iter__(self) -> Iterator[Account]:
        """All accounts, oldest first."""
        return iter(self._by_address.values())

    def __len__(self) -> int:
        return len(self._by_address)
