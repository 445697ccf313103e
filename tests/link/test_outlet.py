"""Text for people: written in order, never waited for."""

import os
import select
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from threading import Event
from typing import Any

import attrs
import pytest

from bot.link import outlet
from bot.link.outlet import Outlet, open_outlet


@attrs.frozen
class Pipe:
    """A pipe of the system, and a stream into it, as stderr is one."""

    reader: int
    stream: TextIOWrapper

    def read(self) -> str:
        """Everything up to the end; the stream is closed for that."""
        self.stream.close()
        with open(self.reader, closefd=False) as file:
            return file.read()

    def fill(self) -> int:
        """Put in all that it holds; how much that was."""
        os.set_blocking(self.stream.fileno(), False)
        size = 0
        try:
            while True:
                size += os.write(self.stream.fileno(), b"x")
        except BlockingIOError:
            os.set_blocking(self.stream.fileno(), True)
            return size

    def drain(self, size: int) -> None:
        while size:
            size -= len(os.read(self.reader, size))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    yield Pipe(reader, stream)
    stream.close()
    os.close(reader)


def test_text_arrives_in_order(pipe: Pipe) -> None:
    """All of it by the end of the block, and what no terminal of this kind can show is escaped."""
    pipe.stream.reconfigure(encoding="ascii")
    with open_outlet(pipe.stream) as out:
        for number in range(100):
            out.write(f"line {number}\n")
        out.write("10⁻⁸\n")
    assert pipe.read().splitlines() == [*(f"line {number}" for number in range(100)), "10\\u207b\\u2078"]


def test_nobody_reads(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe is full: neither a line nor the end waits for it, and it stays a blocking one for others."""
    monkeypatch.setattr(outlet, "LAST_WORDS", 0.01)
    size = pipe.fill()
    with open_outlet(pipe.stream) as out:
        out.write("a line\n" * 1000)
    assert os.get_blocking(pipe.stream.fileno())
    pipe.drain(size)
    out._thread.join()


def test_lost_lines_are_counted_where_they_are_missing(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come while too many wait, and those only; whoever reads on later sees where and how many."""
    monkeypatch.setattr(outlet, "WAITING_LINES", 3)
    size = pipe.fill()
    out = Outlet(pipe.stream)
    out.write("at hand\n")
    while out._waiting.qsize():
        os.sched_yield()  # the thread takes this one, and is stuck with it
    for number in range(10):
        out.write(f"line {number}\n")
    pipe.drain(size)
    while out._waiting.qsize():
        os.sched_yield()
    out.write("later\n")
    out.close()
    assert pipe.read().splitlines() == [
        *("at hand", "line 0", "line 1", "line 2"),
        "… 7 lines are missing here: nobody read them",
        "later",
    ]


def test_the_reader_is_gone() -> None:
    """EPIPE for every line, as EIO of a terminal that was closed: they are lost, and nothing is raised."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream, open_outlet(stream) as out:
        out.write("lost\n")
        out.write("lost, too\n")


def test_a_full_disk() -> None:
    """The same; the device stands for it."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    with full.open("w") as stream, open_outlet(stream) as out:
        out.write("lost\n")


def test_somebody_made_it_non_blocking(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on a descriptor is not ours alone: a parent's event loop may want it so. Nothing is lost of it."""
    waits = Event()
    wait_for = select.select

    def noted(*descriptors: Any) -> Any:
        waits.set()
        return wait_for(*descriptors)

    monkeypatch.setattr(select, "select", noted)
    size = pipe.fill()
    os.set_blocking(pipe.stream.fileno(), False)
    out = Outlet(pipe.stream)
    out.write("a line\n")
    assert waits.wait(10)
    pipe.drain(size)
    out.close()
    assert pipe.read() == "a line\n"


def test_a_terminal_is_one(pipe: Pipe) -> None:
    leader, follower = os.openpty()
    with (
        os.fdopen(follower, "w") as terminal,
        open_outlet(terminal) as out,
        open_outlet(pipe.stream) as other,
    ):
        assert (out.isatty(), other.isatty()) == (True, False)
    os.close(leader)
