"""The tape: what it can hold comes back as it was, and one that keeps nothing still numbers."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.tape import Kind, NoTape, Stamp, portable, readable, restored

raw = st.text() | st.binary()


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@given(raw)
def test_what_is_portable_comes_back(data: str | bytes) -> None:
    """Text as text and bytes as bytes, the same, by way of JSON."""
    assert restored(through_json(portable(data))) == data


@given(st.binary() | st.text().map(str.encode))
def test_what_should_be_text_comes_back(data: bytes) -> None:
    """As text if it is UTF-8, as bytes if not; either way the same."""
    told = readable(data)
    back = restored(through_json(told))
    assert isinstance(back, str) == isinstance(told, str)
    assert (back.encode() if isinstance(back, str) else back) == data


@given(st.text())
def test_text_stays_readable(text: str) -> None:
    """Nothing is wrapped that a person can read."""
    assert portable(text) == readable(text.encode()) == text


@pytest.mark.parametrize("make", [portable, readable])
def test_what_looks_like_a_secret_is_seen_among_bytes(make: Any) -> None:
    """Whoever removes secrets from a journal finds them there, too."""
    assert "eyJsecret" in json.dumps(make(b"\xff eyJsecret \x00"))


@pytest.mark.parametrize(
    "data", [None, 7, [], {}, {"text": "a"}, {"bytes": "☃"}, {"bytes": 7}, {"bytes": None}, {"bytes": ["a"]}]
)
def test_what_portable_never_makes(data: Any) -> None:
    """A ValueError, and no other."""
    with pytest.raises(ValueError, match=r"neither text nor bytes|ordinal not in range"):
        restored(data)


@attrs.define
class HandClock:
    now_ns: int = 0

    def wall_ns(self) -> int:
        raise AssertionError("the tape counts from the start of the run")

    def monotonic_ns(self) -> int:
        return self.now_ns


def test_a_tape_that_keeps_nothing() -> None:
    """It numbers from 1 on, for record 0 is a header, and tells the time; there is nothing to commit."""
    clock = HandClock(5)
    tape = NoTape(clock)
    assert tape.write(Kind.FRAME_IN, "a") == Stamp(1, 5)
    clock.now_ns = 9
    tape.commit()
    assert tape.write(Kind.STOP, {}, generation=3) == Stamp(2, 9)
