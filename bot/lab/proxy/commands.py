"""What a person can tell a running proxy: a line, a change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.lab.proxy.relay import Relay
from bot.simulation.path import Duplex, Path
from bot.simulation.pipe import Ending, Pipe

HELP = """\
[rest | ws] [up | down] WORD    without the first two: both connections, both ways; up leads to the exchange
shape [delay=S] [jitter=S] [bandwidth=BYTES] [segment=BYTES]
                    seconds each way, and at most on top of them; bytes a second, or inf; bytes in one piece
stall S             nothing comes for so many seconds
black_hole          nothing comes, nothing is said
refuse              who connects is refused
heal                end stall, black hole and refusal; a shape stays, until another is given
cut [N] [rst | fin] end every connection, or each when N more bytes have come out of it
"""


class CommandError(ValueError):
    """No command; the text says why."""


def obey(line: str, relays: Mapping[str, Relay]) -> None:
    """Do what one line says to ``relays``, by name; an empty line says nothing.

    Raises:
        CommandError: it says nothing that could be done; nothing was.
    """
    words = line.split()
    chosen = [relays[words.pop(0)]] if words and words[0] in relays else list(relays.values())
    direction = words.pop(0) if words and words[0] in {"up", "down"} else ""
    if not words:
        return
    word, *arguments = words
    for relay in chosen:
        _do(word, arguments, relay, direction)


def _do(word: str, arguments: Sequence[str], relay: Relay, direction: str) -> None:
    way: Relay | Path = getattr(relay, direction) if direction else relay
    match word, arguments:
        case "shape", [_, *_]:
            _shape(way, arguments)
        case "stall", [seconds]:
            way.stall(_number(seconds))
        case "black_hole", []:
            way.black_hole()
        case "heal", []:
            way.heal()
        case "refuse", [] if not direction:
            relay.refuse()
        case "cut", _:
            _cut(arguments, _pipes(relay.connections, direction))
        case _:
            raise CommandError(f"not understood: {' '.join((word, *arguments))}")


def _shape(way: Relay | Path, arguments: Iterable[str]) -> None:
    wanted = dict(argument.partition("=")[::2] for argument in arguments)
    if unknown := wanted.keys() - {"delay", "jitter", "bandwidth", "segment"}:
        raise CommandError(f"no property of a way: {', '.join(sorted(unknown))}")
    numbers = {name: _number(text) for name, text in wanted.items()}
    segment = numbers.pop("segment", None)
    try:
        way.shape(**numbers, segment=None if segment is None else int(segment))
    except (ValueError, OverflowError) as error:
        raise CommandError(str(error)) from error


def _cut(arguments: Sequence[str], pipes: Iterable[Pipe]) -> None:
    *counts, how = arguments if arguments and arguments[-1] in {"rst", "fin"} else (*arguments, "rst")
    if len(counts) > 1 or not all(count.isdecimal() for count in counts):
        raise CommandError("cut takes a number of bytes, and rst or fin")
    for pipe in list(pipes):
        pipe.cut_after(int(*counts), Ending[how.upper()])


def _pipes(connections: Iterable[Duplex[Pipe]], direction: str) -> Iterator[Pipe]:
    for connection in connections:
        yield from (getattr(connection, name) for name in ([direction] if direction else ["up", "down"]))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"no number: {text}") from None
