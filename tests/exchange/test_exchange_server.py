"""The whole server on real loopback sockets, and as a process: what streams in memory cannot show."""

import json
import signal
import ssl
import subprocess
import sys
from functools import partial
from typing import Any

import httpx  # noqa: ASYNC127 - as any client of a user might; httpx2 is one import away
import pytest
import trio
import trustme
from exchange_stage import Trader
from trio_websocket import wrap_client_stream

from bot.exchange.server import Listen, Serving, serve
from bot.exchange.settings import ExchangeSettings

CONTROL_PATHS = {"/drop-websockets": {"code": 1001}, "/expire-tokens": None, "/mode": {"status": "post_only"}}

PROCESS = """
import sys, time, trio
from bot.exchange.process import Manner, run
from bot.exchange.server import Listen
from bot.exchange.settings import ExchangeSettings
class Clock:
    def wall_ns(self): return time.time_ns()
    def monotonic_ns(self): return time.monotonic_ns()
async def main():
    await run(ExchangeSettings(), Clock(), Listen(),
              Manner(plain="plain" in sys.argv, until_stdin_closes="stdin" in sys.argv))
trio.run(main)
"""


class RealEnoughClock:
    """A wall clock that stands still: nothing here depends on its moving."""

    def wall_ns(self) -> int:
        return 1_790_000_000 * 10**9

    def monotonic_ns(self) -> int:
        return 0


async def test_tls_http_websocket_and_control_on_real_sockets() -> None:
    """Real sockets, because listening, TLS over TCP, httpx and port numbers are what is tested."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            serving: Serving = await nursery.start(
                serve, ExchangeSettings(), RealEnoughClock(), Listen(), context
            )
            async with httpx.AsyncClient(verify=trust) as client:
                await _trade(serving, client, trust)
            nursery.cancel_scope.cancel()


async def _trade(serving: Serving, client: httpx.AsyncClient, trust: ssl.SSLContext) -> None:
    """Log in, place an order, see it on the stream, and pull the levers of the control port."""
    trader = Trader()
    assert serving.rest_url.startswith("https://127.0.0.1:")
    headers = trader.onboarding_headers()
    body = {"public_key": hex(trader.public_key)}
    assert (
        await client.post(f"{serving.rest_url}/onboarding", json=body, headers=headers)
    ).status_code == 200
    headers = trader.auth_headers(1_790_000_000)
    trader.token = (await client.post(f"{serving.rest_url}/auth", headers=headers)).json()["jwt_token"]
    port = int(serving.ws_url.removesuffix("/v1").rpartition(":")[2])
    # trio-websocket leaves the connection open when the server closed it, so it is given one that is ours to close.
    stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=trust, https_compatible=True)
    async with stream, trio.open_nursery() as nursery:
        socket = await wrap_client_stream(nursery, stream, "127.0.0.1", "/v1")
        for identifier, (method, params) in enumerate(
            [
                ("auth", {"bearer": trader.token}),
                ("subscribe", {"channel": "orders.ALL"}),
            ]
        ):
            call = {"jsonrpc": "2.0", "method": method, "params": params, "id": identifier}
            await socket.send_message(json.dumps(call))
            assert json.loads(await socket.get_message())["id"] == identifier
        order = trader.order(signature_timestamp=1_790_000_000_000)
        placed = await client.post(f"{serving.rest_url}/orders", json=order, headers=trader.bearer)
        assert placed.status_code == 201
        assert json.loads(await socket.get_message())["params"]["data"]["status"] == "OPEN"
        for path, content in CONTROL_PATHS.items():
            assert (await client.post(serving.control_url + path, json=content)).status_code == 200
        refused = await client.get(f"{serving.rest_url}/orders", headers=trader.bearer)
        assert (refused.status_code, refused.json()["error"]) == (401, "INVALID_TOKEN")
        nursery.cancel_scope.cancel()
    about = (await client.get(serving.control_url)).json()
    assert "POST /refuse-auth" in about
    [seen] = (await client.get(f"{serving.control_url}/orders")).json()["results"]
    assert seen["id"] == placed.json()["id"]
    counted = (await client.get(f"{serving.control_url}/connections")).json()
    assert counted["tcp_accepted"] == {"rest": 1, "ws": 1, "control": 1}
    assert counted["tls_handshakes"] == {"rest": 1, "ws": 1}
    assert [close["code"] for close in counted["websocket_closes"]] == [1001]
    for bad in ({"status": "sleepy"}, {}, [1]):
        assert (await client.post(f"{serving.control_url}/mode", json=bad)).status_code == 400


@pytest.mark.parametrize(
    ("arguments", "ended_by"),
    [(["plain"], signal.SIGINT), (["tls"], signal.SIGTERM), (["tls", "stdin"], None)],
)
async def test_the_process_says_where_it_is_and_ends_cleanly(
    arguments: list[str], ended_by: int | None
) -> None:
    """A real process, because its one line, its signals, its stdin and its exit code are what is tested."""
    command = [sys.executable, "-c", PROCESS, *arguments]
    plain = arguments == ["plain"]
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            async with process.stdin, process.stdout, process.stderr:
                said = b""
                while not said.endswith(b"\n"):
                    said += await process.stdout.receive_some()
                line: dict[str, Any] = json.loads(said)
                assert line["pid"] == process.pid
                assert (line["ca_file"] is None) == plain
                trust = True if plain else ssl.create_default_context(cafile=line["ca_file"])
                async with httpx.AsyncClient(verify=trust) as client:
                    assert (await client.get(f"{line['rest_url']}/system/state")).json() == {"status": "ok"}
                    # The client's connection stays open: it must not keep the process.
                    if ended_by is None:
                        await process.stdin.aclose()
                    else:
                        process.send_signal(ended_by)
                    assert await process.wait() == 0
                assert await process.stdout.receive_some() == b""
                complaints = b""
                while data := await process.stderr.receive_some():
                    complaints += data
                assert b"Traceback" not in complaints
    assert plain or not await trio.Path(line["ca_file"]).parent.exists()
