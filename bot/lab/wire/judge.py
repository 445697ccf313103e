"""What a bot has to show for itself after a row: by the exchange's books, and its own session, summary and log."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bot.core.order import State
from bot.core.tape import Kind
from bot.journal.checks import findings
from bot.lab.wire.stage import OVER, SUMMARY, Stage, is_intent
from bot.lab.wire.story import exchanges
from bot.link.http import HttpSettings

STOP_WITHIN = 8.0
"""Seconds, under any fault (`faults.md` section 2)."""

LATE = 6.0
"""Seconds that a busy machine may be late, whatever is promised."""


UNRESOLVED = re.compile(r"order unresolved: client_id=([^,]+)")
"""How the log names an order whose end is not known."""

Books = list[dict[str, Any]]
"""Orders as the exchange has them."""

Judge = Callable[[Stage, Books, int], Iterator[str]]
"""What is wrong with a bot that ended with this exit code."""


def mended(stage: Stage, books: Books, exit_code: int) -> Iterator[str]:
    """Of a bot that was stopped when the network was good again: everything is known, and over."""
    if exit_code:
        yield f"exit code {exit_code}"
    summary = json.loads((stage.folder / SUMMARY).read_text())
    if summary["orders"]["unresolved"]:
        yield f"{summary['orders']['unresolved']} orders unresolved"
    yield from (f"alarm: {alarm}" for alarm in summary["alarms"])
    yield from (
        f"{order['client_id']} is {order['status']} there" for order in books if order["status"] != "CLOSED"
    )
    yield from _orders(stage, books)
    yield from _deadlines(stage)
    yield from _always(stage, books)


def cut_off(stage: Stage, books: Books, exit_code: int) -> Iterator[str]:
    """Of a bot that was stopped while nothing came through: it names what it cannot know, and exits accordingly."""
    named = set(UNRESOLVED.findall(stage.bot.log))
    if exit_code != (4 if named else 0):
        yield f"exit code {exit_code}, and {len(named)} orders named"
    yield from (
        f"{order['client_id']} is {order['status']} there, and nobody says so"
        for order in books
        if order["status"] != "CLOSED" and order["client_id"] not in named
    )
    yield from _always(stage, books)


def _always(stage: Stage, books: Books) -> Iterator[str]:
    """Nothing doubled, nothing unheard of, no secret, no bug."""
    there = Counter(order["client_id"] for order in books)
    yield from (f"{client_id} was accepted {count} times" for client_id, count in there.items() if count > 1)
    intended = {record.data["client_id"] for record in stage.bot.records if is_intent(record)}
    yield from (f"{client_id} is there, and was never intended" for client_id in there.keys() - intended)
    if "Traceback" in stage.bot.log:
        yield "it broke, says its log"
    yield from (f"record {each.record}: {each.text}" for each in findings(stage.bot.records))
    if stage.bot.session is None or stage.bot.session.damage is not None:
        yield "its session is damaged"


def _orders(stage: Stage, books: Books) -> Iterator[str]:
    """Nothing lost, nothing guessed."""
    there = {order["client_id"] for order in books}
    here = {
        record.data["client_id"]: record.data["state"]
        for record in stage.bot.records
        if record.kind is Kind.ORDER
    }
    for client_id, state in here.items():
        if state not in OVER:
            yield f"{client_id} is {state} here at the end"
        elif (state == State.CLOSED) is not (client_id in there):
            yield f"{client_id} is {state} here, and {'' if client_id in there else 'not '}there"
    yield from (f"{client_id} is there, and forgotten here" for client_id in there - here.keys())


def _deadlines(stage: Stage) -> Iterator[str]:
    """No request outlasts its deadline, however it is answered, or not."""
    for each in exchanges(stage.bot.records):
        if each.ended_ns is None:
            yield f"{each.name} never ended"
        elif each.ended_ns - each.began_ns > (HttpSettings().request_timeout + LATE) * 1e9:
            yield f"{each.name} took {(each.ended_ns - each.began_ns) / 1e9:.1f} s"
