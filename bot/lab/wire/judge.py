"""What a bot has to show for itself after a row: by the exchange's books, and its own session, summary and log."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.core.tape import Kind
from bot.journal.checks import findings
from bot.lab.wire.stage import OVER, SUMMARY, Stage
from bot.lab.wire.story import exchanges
from bot.link.http import HttpSettings

STOP_WITHIN = 8.0
"""Seconds, under any fault (`faults.md` section 2)."""

LATE = 6.0
"""Seconds that a busy machine may be late, whatever is promised."""


def faults(stage: Stage, books: list[dict[str, Any]], exit_code: int) -> Iterator[str]:
    """What is wrong with a bot that was stopped when the network was good again."""
    if exit_code:
        yield f"exit code {exit_code}"
    if "Traceback" in stage.bot.log:
        yield "it broke, says its log"
    summary = json.loads((stage.folder / SUMMARY).read_text())
    if summary["orders"]["unresolved"]:
        yield f"{summary['orders']['unresolved']} orders unresolved"
    yield from (f"alarm: {alarm}" for alarm in summary["alarms"])
    yield from _orders(stage, books)
    yield from _deadlines(stage)
    yield from (f"record {each.record}: {each.text}" for each in findings(stage.bot.records))
    if stage.bot.session is None or stage.bot.session.damage is not None:
        yield "its session is damaged"


def _orders(stage: Stage, books: list[dict[str, Any]]) -> Iterator[str]:
    """Nothing doubled, nothing lost, nothing guessed, nothing left."""
    there = Counter(order["client_id"] for order in books)
    yield from (f"{client_id} was accepted {count} times" for client_id, count in there.items() if count > 1)
    yield from (
        f"{order['client_id']} is {order['status']} there" for order in books if order["status"] != "CLOSED"
    )
    intended = set[str]()
    here: dict[str, str] = {}
    for record in stage.bot.records:
        if record.kind is Kind.INTENT and record.data["what"] == "place":
            intended.add(record.data["client_id"])
        elif record.kind is Kind.ORDER:
            here[record.data["client_id"]] = record.data["state"]
    yield from (f"{client_id} is there, and was never intended" for client_id in there.keys() - intended)
    for client_id, state in here.items():
        if state not in OVER:
            yield f"{client_id} is {state} here at the end"
        elif (state == "CLOSED") is not (client_id in there):
            yield f"{client_id} is {state} here, and {'' if client_id in there else 'not '}there"
    yield from (f"{client_id} is there, and forgotten here" for client_id in there.keys() - here.keys())


def _deadlines(stage: Stage) -> Iterator[str]:
    """No request outlasts its deadline, however it is answered, or not."""
    for each in exchanges(stage.bot.records):
        if each.ended_ns is None:
            yield f"{each.name} never ended"
        elif each.ended_ns - each.began_ns > (HttpSettings().request_timeout + LATE) * 1e9:
            yield f"{each.name} took {(each.ended_ns - each.began_ns) / 1e9:.1f} s"
