"""What a row is played on: a bot that trades, its exchange, and the two ways between them."""

import json
import os
import secrets
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import trio
import trio.lowlevel
import trustme

from bot.core.order import State
from bot.core.tape import Kind
from bot.journal.record import Record
from bot.lab.child import Address, Child, address_of
from bot.lab.proxy.relay import LOOPBACK, Relay, open_relay
from bot.lab.wire import names
from bot.lab.wire.run import Run, open_run
from bot.link.signer import native_curve
from bot.settings.source import PREFIX

Via = Literal["rest", "ws"]

SOURCE = Path(__file__).resolve().parents[3]
"""Where this program is, which another of its name may be installed beside."""

MARKET = "BTC-USD-PERP"
RECV_WINDOW_MS = 2000
"""The shortest: whether an order can still be accepted is known so much earlier."""

PAUSE = 0.2
NAMES = "names"
SUMMARY = "summary.json"
PATIENCE = 60.0
"""Seconds that the exchange has to answer by its control port, on however busy a machine."""


@attrs.frozen
class Books:
    """What the exchange knows of one account, by its control port."""

    control_url: str
    public_key: str
    address: str

    async def orders(self) -> list[dict[str, Any]]:
        """All orders that were ever accepted of it."""
        answer = await ask(self.control_url, f"/orders?account={self.address}")
        return list(answer["results"])

    async def until_accepted(self, client_id: str) -> None:
        """Wait until the exchange has this order."""
        there: set[str] = set()
        while client_id not in there:
            there = {order["client_id"] for order in await self.orders()}


async def ask(control_url: str, path: str) -> Any:
    """An answer of the control port."""
    return await trio.to_thread.run_sync(_get, control_url + path)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - plain HTTP, on loopback
        return json.load(answer)


@attrs.frozen(eq=False)
class Stage:
    """A bot that trades over ``rest`` and ``ws``, each for itself or both at once."""

    bot: Run
    books: Books
    rest: Relay
    ws: Relay
    via: Via
    folder: Path
    authority: trustme.CA
    """One that the bot trusts, too, beside that of the exchange."""

    stack: AsyncExitStack
    """Ends with the stage what a row has opened."""

    @property
    def both(self) -> tuple[Relay, Relay]:
        return self.rest, self.ws

    @property
    def orders(self) -> Relay:
        """The way that orders go."""
        return self.rest if self.via == "rest" else self.ws

    @property
    def sessions(self) -> int:
        """How many generations became ready."""
        return sum(map(is_ready, self.bot.records))

    async def next_order(self, since: int | None = None) -> str:
        """Its client id, as soon as it is about to leave; of those that come from now on, or from a record on."""
        since = self.bot.next_number if since is None else since
        return str((await self.bot.until(is_intent, since)).data["client_id"])

    async def next_session(self, since: int) -> None:
        """Wait for a generation that is ready, from a record on."""
        await self.bot.until(is_ready, since)

    async def trade_again(self) -> None:
        """Wait until an order that is not even signed yet was accepted, and is over."""
        since = self.bot.next_number
        while True:
            intent = await self.bot.until(is_intent, since)
            end = await self.bot.until(_ends(intent.data["client_id"]), intent.number)
            if end.data["state"] == State.CLOSED:
                return
            since = end.number


def is_intent(record: Record) -> bool:
    return record.kind is Kind.INTENT and record.data["what"] == "place"


def is_ready(record: Record) -> bool:
    return record.kind is Kind.GENERATION and bool(record.data["session"] == "ready")


def is_socket_end(record: Record) -> bool:
    return record.kind is Kind.SOCKET_END


def is_failure(record: Record) -> bool:
    return record.kind is Kind.FAILURE


OVER = frozenset({State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED})


def _ends(client_id: str) -> Callable[[Record], bool]:
    return lambda record: (
        record.kind is Kind.ORDER and record.data["client_id"] == client_id and record.data["state"] in OVER
    )


@asynccontextmanager
async def open_stage(exchange: Child, folder: Path, via: Via, host: str) -> AsyncIterator[Stage]:
    """Start a bot in a new account of ``exchange``, and wait until it has traded; ``folder`` is made for it.

    ``host`` is what it looks for: an address, or a name that the file `NAMES` in ``folder`` has an address for.
    """
    reached, ca_file, authority = exchange.reached, folder / "ca.pem", trustme.CA()
    assert reached.ca_file is not None
    await trio.Path(folder).mkdir()
    ca_file.write_bytes(await trio.Path(reached.ca_file).read_bytes() + authority.cert_pem.bytes())
    targets = (address_of(reached.rest_url), address_of(reached.ws_url))
    key = secrets.randbits(250) + 1
    async with AsyncExitStack() as stack:
        rest, ws = [await stack.enter_async_context(open_relay(each, seed=key)) for each in targets]
        env = _environment(folder, ca_file, key, via, (host, rest.address[1]), (host, ws.address[1]))
        names.write(folder / NAMES, {host: LOOPBACK})
        bot = await stack.enter_async_context(
            open_run(
                [sys.executable, *("-m", "bot.lab.wire.names"), NAMES, *("run", "--summary", SUMMARY)],
                folder / "session.journal",
                env,
            )
        )
        await bot.until(is_ready)
        public_key = hex(native_curve().public_key(key))
        accounts = (await ask(reached.control_url, "/accounts"))["results"]
        [address] = [each["account"] for each in accounts if each["public_key"] == public_key]
        stage = Stage(
            bot, Books(reached.control_url, public_key, address), rest, ws, via, folder, authority, stack
        )
        await stage.trade_again()
        yield stage


def environment(folder: Path) -> dict[str, str]:
    """That of a bot or an exchange that is this program, and finds no settings but its own."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    here = {"PYTHONPATH": str(SOURCE)}
    return {**others, **here, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}


def _environment(
    folder: Path, ca_file: Path, key: int, via: Via, rest: Address, ws: Address
) -> Mapping[str, str]:
    return {
        **environment(folder),
        "BOT__ENVIRONMENT": "testnet",
        "BOT__VENUE__REST_URL": f"https://{rest[0]}:{rest[1]}/v1",
        "BOT__VENUE__WS_URL": f"wss://{ws[0]}:{ws[1]}/v1",
        "BOT__VENUE__CA_FILE": str(ca_file),
        "BOT__ACCOUNT__ETHEREUM_ADDRESS": "0x" + "00" * 20,
        "BOT__ORDERS__MARKETS": json.dumps([MARKET]),
        "BOT__ORDERS__RECV_WINDOW": str(RECV_WINDOW_MS),
        "BOT__ORDERS__VIA": via,
        "BOT__STRATEGY__PAUSE": str(PAUSE),
        "PARADEX_PRIVATE_KEY": hex(key),
    }
