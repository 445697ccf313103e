"""Orders in turns: a client sends as many as a line on stdin says, and tells on stdout what each of them took."""

import asyncio
import faulthandler
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[], Awaitable[Any] | Any]


async def take_turns(ways: dict[str, Callable[[], Awaitable[Send]]]) -> None:
    """Print ``ready``; then for each line ``WAY COUNT`` send orders, and print their ns as a JSON list.

    A way is opened when it is asked for first. The end of stdin is the end.
    """
    faulthandler.cancel_dump_traceback_later()  # whoever writes the lines knows how long it takes
    tell("ready")
    opened: dict[str, Send] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        way, count = line.split()
        if way not in opened:
            opened[way] = await ways[way]()
        taken = []
        for _ in range(int(count)):
            began = time.perf_counter_ns()
            result = opened[way]()
            if asyncio.iscoroutine(result):
                await result
            taken.append(time.perf_counter_ns() - began)
        tell(taken)


def tell(value: object) -> None:
    print(json.dumps(value), flush=True)
