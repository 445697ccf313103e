"""starknet-py as a second opinion: on keys, signatures and addresses that our own code makes."""

from collections.abc import Iterator

from bot.link.secrets import Secret
from bot.link.signer import native_curve, parse_private_key, reference_curve
from bot.paradex.address import INITIALIZE, AccountClasses


def disagreements(key: Secret, message: int) -> Iterator[str]:
    """What the native library and starknet-py make differently of ``key`` and a ``message`` hash below 2^251.

    Each derives the public key, and signs; and each has to find the other's signature good.

    Raises:
        ImportError: there is no native library to compare with.
    """
    native, reference = native_curve(), reference_curve()
    private_key = parse_private_key(key.reveal())
    public_key = native.public_key(private_key)
    if reference.public_key(private_key) != public_key:
        yield "they derive different public keys"
    for signs, verifies in ((native, reference), (reference, native)):
        if not verifies.verify(public_key, message, signs.sign(private_key, message)):
            yield f"{verifies.library} does not take a signature of {signs.library}"


def address(key: Secret, classes: AccountClasses) -> int:
    """The address of the account of ``key``, as starknet-py computes it."""
    from starknet_py.hash.address import compute_address  # noqa: PLC0415 - seconds that no run must pay

    public_key = reference_curve().public_key(parse_private_key(key.reveal()))
    derived: int = compute_address(
        class_hash=classes.proxy,
        constructor_calldata=[classes.account, INITIALIZE, 2, public_key, 0],
        salt=public_key,
    )
    return derived
