"""Who may trade: onboarded accounts and their keys."""

import attrs


@attrs.frozen
class Account:
    """An onboarded account: its address and public key as felts, and when it came, in ms."""

    address: int
    public_key: int
    ethereum_address: str
    onboarded_at_ms: int


class Accounts:
    """The register of accounts."""

    def __init__(self) -> None:
        self._by_address: dict[int, Account] = {}

    def onboard(self, account: Account) -> bool:
        """Register an account. False when it was already here, which is no error (protocol reference 2.2)."""
        if account.address in self._by_address:
            return False
        self._by_address[account.address] = account
        return True

    def find(self, address: int) -> Account | None:
        return self._by_address.get(address)

    def __len__(self) -> int:
        return len(self._by_address)
