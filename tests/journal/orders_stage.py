"""Sessions of a few records about orders, as the bot writes these."""

from pathlib import Path
from typing import Any

import attrs
import msgspec
import reading_stage
import writing_stage

from bot.core.tape import Kind
from bot.journal.header import Header

HEAD = attrs.evolve(writing_stage.header(), started_ns=1_800_000_000_000_000_000)

TERMS = {
    "market": "BTC-USD-PERP",
    "side": "BUY",
    "type": "LIMIT",
    "instruction": "POST_ONLY",
    "size": "0.01",
    "price": "83299.6",
}


def place(client_id: str = "a") -> tuple[str, Any]:
    return Kind.EFFECT, {"do": "place", "client_id": client_id, **TERMS, "generation": 1}


def intent(client_id: str = "a", *, method: str = "POST", body: str | None = None) -> tuple[str, Any]:
    body = body or f'{{"client_id":"{client_id}","recv_window":5000}}'
    request = {"method": method, "path": "/orders", "body": body}
    what = "modify" if method == "PUT" else "place"
    return Kind.INTENT, {
        "what": what,
        "client_id": client_id,
        "signature_timestamp": 1_000_000,
        "request": request,
    }


def order(state: str, client_id: str = "a", **others: Any) -> tuple[str, Any]:
    data = {"client_id": client_id, "venue_id": "v", "state": state, "filled": "0", "reason": ""}
    return Kind.ORDER, data | others


def not_sent(client_id: str = "a") -> tuple[str, Any]:
    return Kind.OUTCOME, {"what": "place", "client_id": client_id, "failure": "not sent", "text": "no route"}


def written(path: Path, *told: tuple[str, Any], head: Header = HEAD) -> Path:
    """A session of these records, a second apart, in the new file ``path``."""
    payloads = (
        msgspec.json.encode((number, number * 10**9, 0, kind, data))
        for number, (kind, data) in enumerate(told, 1)
    )
    path.write_bytes(reading_stage.journal(payloads, head=head))
    return path
