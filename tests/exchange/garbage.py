"""Garbage that is nearly right: mutations of JSON values, texts and bytes, from one seeded source."""

import copy
import json
from random import Random
from typing import Any

NASTY: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.1,
    -0.0,
    1e308,
    "",
    " ",
    "0",
    "-0",
    "-1",
    "1e5",
    "1E+1",
    "NaN",
    "Infinity",
    "0x",
    "0x0",
    "0x" + "f" * 64,
    "0x" + "f" * 5000,
    "9" * 400,
    "0." + "0" * 300 + "1",
    "١٢٣",
    "BTC-USD-PERP\x00",
    "ALL",
    "../../etc/passwd",
    "%00",
    "\ud800",
    "🦀" * 70,
    "a" * 3000,
    '["1","2"]',
    '["0x1","0x2"]',
    "[]",
    [],
    [[]],
    [None],
    {},
    {"": None},
]


class Garbage:
    """Everything it makes follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    def value(self) -> Any:
        """Some value that nobody expects."""
        pick = self.rng.random()
        if pick < 0.85:
            return copy.deepcopy(self.rng.choice(NASTY))
        if pick < 0.95:
            nested: Any = self.rng.choice(NASTY)
            for _ in range(self.rng.randrange(1, 60)):
                nested = [nested] if self.rng.random() < 0.5 else {"a": nested}
            return nested
        return [copy.deepcopy(self.rng.choice(NASTY)) for _ in range(self.rng.randrange(200))]

    def mutated(self, value: Any) -> Any:
        """The value with one to three things wrong."""
        value = copy.deepcopy(value)
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            value = self._mutated_once(value)
        return value

    def _mutated_once(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.rng.random() < 0.95:
            key = self.rng.choice(list(value))
            pick = self.rng.random()
            if pick < 0.15:
                del value[key]
            elif pick < 0.25:
                value[str(self.value())[:40]] = self.value()
            elif isinstance(value[key], dict | list) and pick < 0.6:
                value[key] = self._mutated_once(value[key])
            else:
                value[key] = self.value()
            return value
        if isinstance(value, list) and value and self.rng.random() < 0.9:
            index = self.rng.randrange(len(value))
            pick = self.rng.random()
            if pick < 0.15:
                return value * self.rng.choice((0, 2, 60))
            value[index] = self._mutated_once(value[index]) if pick < 0.6 else self.value()
            return value
        return self.value()

    def json(self, value: Any) -> bytes:
        """The text of a mutated value, which may itself be damaged."""
        data = json.dumps(self.mutated(value)).encode()
        return self.damaged(data) if self.rng.random() < 0.15 else data

    def damaged(self, data: bytes) -> bytes:
        """Bytes cut, flipped, doubled, or replaced by noise."""
        if not data:
            return self.rng.randbytes(self.rng.randrange(50))
        cut = self.rng.randrange(len(data))
        match self.rng.randrange(5):
            case 0:
                return data[:cut]
            case 1:
                return data[:cut] + self.rng.randbytes(1) + data[cut + 1 :]
            case 2:
                return data[:cut] + data[cut:] + data[cut:]
            case 3:
                return b"[" * 100_000
            case _:
                return self.rng.randbytes(self.rng.randrange(300))

    def text(self) -> str:
        """A text for a path or a query: printable ASCII, so that it can stand in a request line."""
        value = self.value()
        raw = value if isinstance(value, str) else json.dumps(value)
        return "".join(c for c in raw if 32 < ord(c) < 127)[:500].replace("#", "")

    def headers(self, right: dict[str, str]) -> dict[str, str]:
        """Some of the headers, with other values."""
        return {name: str(self.value())[:300] for name in right if self.rng.random() < 0.2}
