"""How many orders a second the embedded exchange accepts from another process, and what verifying them costs.

Each manner of verification gets an exchange of its own, started as a child, and the same orders: IOC bids far below
the market, which are accepted, checked, and closed at once, so that no limit of open orders is in the way. Requests
are bytes made beforehand, signatures included; each connection sends its next one when the last is answered. So what
is measured is the exchange, as long as it is the slower of the two.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, TypeVar

import attrs
import cyclopts
import msgspec
import trio
from cyclopts.validators import Number

from benchmarks.account import UNCHECKED, Account, open_account
from bot.lab.child import Address, address_of, open_exchange
from bot.lab.meter import memory_of
from bot.link.clock import SystemClock
from bot.paradex import orders
from bot.paradex.request import Request

T = TypeVar("T")

Verify = Literal["always", "never"]

_SAMPLES = 4
_CHUNK = 64 * 1024
_CLOCK = SystemClock()


@attrs.frozen
class Load:
    """What one exchange took: orders accepted, in seconds; its memory at the start and after each quarter, in MiB."""

    verify: Verify
    orders: int
    seconds: float
    memory: list[float]

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds

    @property
    def ms_per_order(self) -> float:
        return 1000 * self.seconds / self.orders


class Connection:
    """One keep-alive connection, as thin as a client can be."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._unread = bytearray()

    async def ask(self, request: Request[T], token: str = "") -> T:
        """Send, and read the answer.

        Raises:
            RequestError: the exchange refused, or answered something unreadable.
            RuntimeError: it closed the connection.
        """
        headers = {**request.headers, "host": "exchange", "content-length": str(len(request.body or b""))}
        if token:
            headers["authorization"] = f"Bearer {token}"
        head = f"{request.method} /v1{request.path} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await self._stream.send_all(head.encode() + b"\r\n" + (request.body or b""))
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            await self._read()
        answer, rest_of_it = bytes(self._unread[:end]), end + 4
        length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
        while len(self._unread) < rest_of_it + length:
            await self._read()
        body = bytes(self._unread[rest_of_it : rest_of_it + length])
        del self._unread[: rest_of_it + length]
        return request.read(int(answer.split(b" ", 2)[1]), body)

    async def _read(self) -> None:
        data = await self._stream.receive_some(_CHUNK)
        if not data:
            raise RuntimeError("the exchange closed the connection")
        self._unread += data


@asynccontextmanager
async def open_connection(address: Address) -> AsyncIterator[Connection]:
    async with await trio.open_tcp_stream(*address) as stream:
        yield Connection(stream)


def _seconds() -> float:
    return _CLOCK.monotonic_ns() / 1e9


def made_orders(account: Account, verify: Verify, count: int) -> Iterator[Request[Any]]:
    """So many orders; signed where somebody looks at it."""
    for _ in range(count):
        signature = "" if verify == "always" else UNCHECKED
        yield orders.create(account.sign(account.new_order(), signature=signature))


async def load(verify: Verify, count: int, connections: int) -> Load:
    """Have a fresh exchange take so many orders as fast as it can."""
    async with (
        open_exchange("--plain", "--verify", verify, "--rate-limits", "none") as child,
        open_connection(address_of(child.reached.rest_url)) as first,
    ):
        account = await open_account(first.ask, _CLOCK)
        made = made_orders(account, verify, count)
        if verify == "always":
            made = iter(list(made))
        memory = [memory_of(child.process.pid)]
        placed = 0
        begin = _seconds()

        async def place() -> None:
            nonlocal placed
            async with open_connection(address_of(child.reached.rest_url)) as connection:
                for order in made:
                    await account.renew(connection.ask)
                    await connection.ask(order, account.token)
                    placed += 1
                    if placed * _SAMPLES // count >= len(memory):
                        memory.append(memory_of(child.process.pid))

        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(place)
        seconds = _seconds() - begin
        return Load(verify, count, seconds, memory)


def main(
    *,
    orders: Annotated[int, cyclopts.Parameter(validator=Number(gte=1))] = 5000,
    connections: Annotated[int, cyclopts.Parameter(validator=Number(gte=1, lte=100))] = 4,
    verify: Literal["always", "never", "both"] = "both",
    json: bool = False,
) -> None:
    """Load the embedded exchange with orders.

    Args:
        orders: how many, for each manner of verification.
        connections: how many at a time.
        verify: whether the exchange checks signatures, or once each.
        json: print the figures as JSON.
    """
    manners: tuple[Verify, ...] = ("never", "always") if verify == "both" else (verify,)
    loads = [trio.run(load, manner, orders, connections) for manner in manners]
    if json:
        sys.stdout.write(msgspec.json.encode(loads).decode() + "\n")
        return
    for result in loads:
        sys.stdout.write(
            f"--verify {result.verify:<6}  {result.per_second:7.0f} orders/s  {result.ms_per_order:6.3f} ms each"
            f"  memory {' '.join(f'{size:.0f}' for size in result.memory)} MiB\n"
        )
    if len(loads) > 1:
        never, always = loads
        sys.stdout.write(f"verification   {always.ms_per_order - never.ms_per_order:.3f} ms an order\n")


if __name__ == "__main__":
    cyclopts.run(main)
