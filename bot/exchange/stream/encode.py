"""From what is said to a client to the frame that says it. JSON is the one encoding here."""

from typing import Any

import msgspec

from bot.exchange.stream.frames import ChannelData, Reply

_END = "\n"
"""Text frames of the venue end in a newline (protocol reference 4.1)."""


def encode(item: Reply | ChannelData) -> str:
    """The text frame of a reply or an update."""
    if isinstance(item, Reply):
        return _reply(item)
    if item.text is None:
        item.text = _update(item)
    return item.text


def _update(item: ChannelData) -> str:
    params = {"channel": item.channel, "data": msgspec.Raw(item.payload.json)}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    return msgspec.json.encode(frame).decode() + _END


def _reply(item: Reply) -> str:
    frame: dict[str, Any] = {"jsonrpc": "2.0", "id": item.id}
    if item.error is None:
        frame["result"] = item.result
    else:
        frame["error"] = {"code": item.error.code, "message": item.error.message}
        if item.error.data is not None:
            frame["error"]["data"] = item.error.data
    frame |= {"usIn": item.us_in, "usOut": item.us_out, "usDiff": item.us_out - item.us_in}
    return msgspec.json.encode(frame).decode() + _END
