"""One seed is one run; nothing runs in a thread; everything is put back afterwards."""

import os
import random
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx  # noqa: ASYNC127 - httpx2 is one import away, see design.md section 7
import pytest
import trio
import trio._core._run
import trio_websocket
from virtual_stage import http_server, stage

from bot.simulation.network import open_network
from bot.simulation.world import ThreadInSimulation, run

FOR_EVER = httpx.Limits(keepalive_expiry=None)  # httpcore reads the real clock for any other


def play(seed: int) -> list[str]:
    """What happens in a busy world: clients on jittery paths, and a cut. No TLS: its signatures vary in length."""
    trace: list[str] = []

    def note(*what: object) -> None:
        trace.append(f"{trio.current_time():.9f} {what}")

    async def echo(request: trio_websocket.WebSocketRequest) -> None:
        connection = await request.accept()
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                await connection.send_message(await connection.get_message())

    async def request(client: httpx.AsyncClient, who: int) -> None:
        for number in range(5):
            try:
                await client.get("http://venue.test/")
            except httpx.TransportError as error:
                note(who, number, type(error).__name__)
            else:
                note(who, number, "ok")

    async def talk(who: int) -> None:
        with suppress(trio_websocket.ConnectionClosed):
            async with trio_websocket.open_websocket_url("ws://venue.test:81/") as connection:
                for number in range(5):
                    await connection.send_message("x" * who)
                    note(who, number, await connection.get_message())

    async def main() -> None:
        async with stage(delay=0.01, seed=seed) as s:
            s.link.shape(jitter=0.05, segment=100, bandwidth=20_000)
            with s.network.on(s.venue):
                await s.nursery.start(partial(trio.serve_tcp, http_server, 80))
                await s.nursery.start(partial(trio_websocket.serve_websocket, echo, "10.0.0.2", 81, None))
            s.network.at(0.3, s.link.cut)
            with s.network.on(s.bot):
                async with (
                    httpx.AsyncClient(trust_env=False, limits=FOR_EVER) as client,
                    trio.open_nursery() as nursery,
                ):
                    for who in range(4):
                        nursery.start_soon(request, client, who)
                        nursery.start_soon(talk, 10 + who)
            trace.extend(map(str, s.network.log))

    run(main, seed=seed)
    return trace


def test_one_seed_is_one_run() -> None:
    """The same seed gives the same trace, to the nanosecond and in the same order; another seed gives another."""
    first = play(1)
    assert play(1) == first
    assert play(2) != first
    assert any("ok" in line for line in first)
    assert any("Error" in line for line in first)


def test_one_seed_is_one_run_in_every_process() -> None:
    """No hash seed and no memory address takes part: another process sees the same as this one."""
    code = "import test_virtual_world; print(test_virtual_world.play(3))"
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parent)}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == repr(play(3))


def test_tasks_are_shuffled_by_the_seed() -> None:
    """Tasks that are ready at once run in an order that the seed chooses, and no other choice takes part."""

    def order(seed: int) -> list[int]:
        seen: list[int] = []

        async def note(number: int) -> None:
            await trio.sleep(1)
            seen.append(number)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(note, number)

        run(main, seed=seed)
        return seen

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list(range(20))


def test_a_run_returns_and_raises_what_its_function_does() -> None:
    """`run` is `trio.run`, from time 0."""

    async def main(summand: float) -> float:
        assert trio.current_time() == 0
        await trio.sleep(86400)
        return trio.current_time() + summand

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise LookupError("no")

    assert run(main, 0.5, seed=1) == 86400.5
    with pytest.raises(LookupError):
        run(fail, seed=1)


async def in_a_trio_thread() -> None:
    await trio.to_thread.run_sync(int)


async def in_a_thread() -> None:
    await trio.lowlevel.checkpoint()
    threading.Thread(target=int).start()


async def for_a_name() -> None:
    await trio.open_tcp_stream(
        "venue.test", 80
    )  # without a network trio asks the system's resolver, in a thread


@pytest.mark.parametrize("asks", [in_a_trio_thread, in_a_thread, for_a_name])
@pytest.mark.parametrize("swallows", [True, False])
def test_a_thread_is_refused(asks: type[object], swallows: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Whoever asks for a thread gets an error, and so does the run, even if the first one was swallowed."""

    async def main() -> None:
        try:
            await asks()  # type: ignore[misc]
        except ThreadInSimulation:
            if not swallows:
                raise

    with pytest.raises(ThreadInSimulation, match="asked for a thread"):
        run(main, seed=1)


def test_an_idle_thread_of_trio_is_refused_too() -> None:
    """trio keeps threads for a while: one left over from another run is no way around."""
    trio.run(in_a_trio_thread)
    with pytest.raises(ThreadInSimulation):
        run(in_a_trio_thread, seed=1)


def test_other_threads_may_do_what_they_like() -> None:
    """Only the run itself may not have threads."""
    started: list[int] = []

    async def main() -> None:
        ask.set()
        while not started:  # noqa: ASYNC110 - another thread says so, and virtual time does not matter
            await trio.sleep(1)

    def other() -> None:
        ask.wait()
        thread = threading.Thread(target=started.append, args=[1])
        thread.start()
        thread.join()

    ask = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    run(main, seed=1)
    thread.join()


def test_everything_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run threads are there again, and trio's scheduler is as unforeseeable as before, even if it failed."""
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)  # pytest-trio has it on
    monkeypatch.setattr(trio._core._run, "_r", random.Random(99))

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
        raise LookupError("no")

    state = trio._core._run._r.getstate()
    start = threading.Thread.start
    with pytest.raises(LookupError):
        run(main, seed=1)
    assert trio._core._run._r.getstate() == state
    assert not trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
    assert threading.Thread.start is start
    trio.run(in_a_trio_thread)


async def test_the_hooks_are_put_back() -> None:
    """Inside the block sockets are virtual, in an inner block those of the inner network, afterwards real again."""

    def kind() -> str:
        with trio.socket.socket() as sock:
            return type(sock).__name__

    before = trio._socket._resolver.get(None)
    async with open_network(seed=0) as outer:
        host = outer.host("outer.test", "10.0.0.1")
        with outer.on(host):
            async with open_network(seed=0) as inner:
                assert inner.here() is inner.localhost
        async with open_network(seed=0):
            assert kind() == "VirtualSocket"
            with pytest.raises(OSError, match="not known"):
                await trio.socket.getaddrinfo("outer.test", 80)
        assert kind() == "VirtualSocket"
        await trio.socket.getaddrinfo("outer.test", 80)
    assert kind() == "_SocketType"
    assert trio._socket._resolver.get(None) is before


async def test_the_hooks_are_put_back_after_an_error() -> None:
    """An error in the block leaves nothing behind either."""

    async def fail() -> None:
        async with open_network(seed=0):
            raise LookupError("no")

    with pytest.RaisesGroup(LookupError):
        await fail()
    with trio.socket.socket() as sock:
        assert type(sock).__name__ == "_SocketType"
