"""The whole bot on a network that cuts, is silent, is slow, and names the wrong hosts; judged by the oracle.

The rows of the table of faults that are about the way to the venue.
"""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import trio
import trustme
from proof_stage import DELAY, Played, at_message, nothing, play

from bot.core.errors import NotSentError
from bot.core.order import State
from bot.core.tape import Kind
from bot.link.websocket import StreamSettings
from bot.place import trusting
from bot.session.supervise import FIRST_DELAY, LATER_DELAY
from bot.settings import Settings
from bot.simulation import rehearsal as stage
from bot.simulation.connection import Connection
from bot.simulation.evidence import Evidence, watching
from bot.simulation.notes import Line
from bot.simulation.pipe import Ending
from bot.simulation.rehearsal import Rehearsal, rehearse

SOCKET = StreamSettings()


def told(played: Played, kind: Kind) -> list[Line]:
    return [line for line in played.evidence.lines if line.kind is kind]


def assert_ended_well(played: Played) -> None:
    """The order was there once, is over, and is told as it is."""
    assert played.violations == []
    assert played.summary.exit_code == 0
    assert [order.status for order in played.seen.accepted] == ["CLOSED"]
    assert played.told.state in {State.OPEN, State.CLOSED}  # nobody hears of what the stop cancels


def socket_of(rehearsal: Rehearsal) -> Connection:
    return next(each for each in rehearsal.link.connections if each.server.local.port == stage.WS_PORT)


@pytest.mark.parametrize(("size", "ending"), [(1, Ending.FIN), (60, Ending.RST), (300, Ending.FIN)])
def test_a_websocket_that_ends_in_the_middle_of_a_frame(size: int, ending: Ending) -> None:
    """The update of the order on its way: the next generation takes stock of it, and the order is cancelled."""

    def arrange(rehearsal: Rehearsal) -> None:
        at_message(
            rehearsal, "http>", "POST /orders ", lambda: socket_of(rehearsal).down.cut_after(size, ending)
        )

    played = play(arrange=arrange)
    assert_ended_well(played)
    assert played.summary.generations == 2


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_half_open_connection(direction: str) -> None:
    """Nobody says that it is dead: the pong that does not come does, soon. The order has arrived, and is found when
    the way is free again.
    """
    died: list[float] = []

    def arrange(rehearsal: Rehearsal) -> None:
        def die() -> None:
            died.append(trio.current_time())
            if direction != "down":
                rehearsal.link.up.black_hole()
            if direction != "up":
                rehearsal.link.down.black_hole()

        at_message(rehearsal, "http>", "POST /orders ", die, after=1.5 * DELAY)
        at_message(rehearsal, "http>", "POST /orders ", rehearsal.link.heal, after=15)

    played = play(arrange=arrange, seconds=40)
    assert_ended_well(played)
    assert played.summary.generations == 2
    end = told(played, Kind.SOCKET_END)[0]
    assert died[0] < end.at <= died[0] + SOCKET.ping_interval + SOCKET.ping_deadline


SLOW: dict[str, dict[str, float]] = {
    "2 s ± 1 s there and back": {"delay": 0.5, "jitter": 1.0},
    "2 s ± 1 s each way": {"delay": 1.0, "jitter": 2.0},
    "1 KB/s": {"bandwidth": 1000},
    "a trickle": {"bandwidth": 50},
    "byte by byte": {"segment": 1},
}


@pytest.mark.parametrize("way", SLOW)
def test_a_slow_network(way: str) -> None:
    """Before the order or under it: what is true is known when the way is good again, and no request outlasts its
    deadline, however slowly its answer goes on coming.
    """

    def arrange(rehearsal: Rehearsal) -> None:
        def slow() -> None:
            rehearsal.link.shape(**SLOW[way])  # type: ignore[arg-type] # bytes are whole here

        at_message(rehearsal, "http>", "GET /bbo", slow)
        at_message(
            rehearsal,
            "http>",
            "GET /bbo",
            lambda: rehearsal.link.shape(delay=DELAY, jitter=0, bandwidth=1e9, segment=1460),
            after=12,
        )

    played = play(arrange=arrange, then=nothing, seconds=40)
    assert played.violations == []
    assert played.summary.exit_code == 0
    asked = {line.data["x"]: line.at for line in told(played, Kind.REQUEST)}
    ended = told(played, Kind.ANSWER) + told(played, Kind.FAILURE)
    assert max(line.at - asked[line.data["x"]] for line in ended) <= Settings().http.request_timeout + 0.001


def test_a_venue_that_moves() -> None:
    """Its name cannot be looked up, then stands for a host that does not answer, then for the right one: each try
    looks again. The order that rests meanwhile is taken over.
    """

    def arrange(rehearsal: Rehearsal) -> None:
        names, after = rehearsal.network.names, rehearsal.network.after

        def vanish() -> None:
            names.fail(stage.NAME)
            rehearsal.link.cut()
            after(6, names.heal)
            after(6, names.set, stage.NAME, "10.0.0.9")
            after(16, names.set, stage.NAME, stage.ADDRESS)

        at_message(rehearsal, "http<", "201", vanish)

    played = play(arrange=arrange, seconds=60)
    assert_ended_well(played)
    assert played.summary.generations == 2
    causes = " ".join(line.data["text"] for line in told(played, Kind.FAILURE) if "text" in line.data)
    assert "gaierror: [Errno -3] Temporary failure in name resolution" in causes


AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)


def trusting_ours() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


BAD_CERTIFICATES: dict[str, tuple[trustme.LeafCert, Callable[[], ssl.SSLContext], str]] = {
    "unknown authority": (
        AUTHORITY.issue_cert(stage.NAME),
        ssl.create_default_context,
        "unable to get local issuer certificate",
    ),
    "another host's": (AUTHORITY.issue_cert("other.test"), trusting_ours, "Hostname mismatch"),
    "expired": (
        AUTHORITY.issue_cert(
            stage.NAME,
            not_before=datetime(2019, 1, 1, tzinfo=UTC),
            not_after=datetime(2020, 1, 1, tzinfo=UTC),
        ),
        trusting_ours,
        "certificate has expired",
    ),
}


@pytest.mark.parametrize("what", BAD_CERTIFICATES)
def test_a_certificate_that_proves_nothing(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a request is sent; the cause is told in words, and the next try waits longer."""
    certificate, client, words = BAD_CERTIFICATES[what]
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(server)
    monkeypatch.setattr(stage, "contexts", lambda: (server, client()))

    async def act(rehearsal: Rehearsal) -> tuple[Evidence, list[float]]:
        with watching(rehearsal) as evidence:
            evidence.summary = await rehearsal.trade(10)
        return evidence, sorted({each.dialed_at for each in rehearsal.link.connections})

    evidence, tries = rehearse(act, delay=DELAY)
    failures = [line.data for line in evidence.lines if line.kind is Kind.FAILURE]
    assert {each["failure"] for each in failures} == {NotSentError.kind}
    assert all(words in each["text"] for each in failures)
    assert not evidence.exchange.counters.requests
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert len(waits) > 2
    assert waits == sorted(waits)
    assert evidence.summary is not None
    assert evidence.summary.exit_code == 0


def test_there_is_no_switch_that_turns_verification_off() -> None:
    """Whoever is trusted, it is a certificate and a name that prove it. (Without TLS there is only loopback.)"""
    for context in (trusting(""), trusting(ssl.get_default_verify_paths().openssl_cafile)):
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def after_closes(code: int, *times: float) -> Played:
    """The venue closes the WebSocket with this code; the order rests meanwhile."""

    def arrange(rehearsal: Rehearsal) -> None:
        for at in times:
            rehearsal.network.at(at, rehearsal.exchange.drop_websockets, code)

    return play(arrange=arrange, then=nothing, seconds=30)


@pytest.mark.parametrize(
    ("code", "waits"),
    [(1000, 0.0), (1001, 0.0), (1012, 0.0), (1013, LATER_DELAY), (4031, 0.0), (1008, 0.0), (4000, 0.0)],
)
def test_the_venue_closes_the_websocket(code: int, waits: float) -> None:
    """The bot comes back, later if it is asked to, and holds its order all the while."""
    played = after_closes(code, 5.0)
    assert_ended_well(played)
    assert played.summary.generations == 2
    [ended, _] = told(played, Kind.SOCKET_END)
    [_, opened] = told(played, Kind.SOCKET_OPEN)
    assert ended.data["code"] == code
    assert waits < opened.at - ended.at <= waits + FIRST_DELAY + 4 * DELAY
    logins = [line.at for line in told(played, Kind.REQUEST) if line.data["path"].startswith("/auth")]
    assert (logins[-1] > 5) is (code in {1008, 4000})


@pytest.mark.parametrize("code", [1008, 4000])
def test_a_venue_that_wants_us_gone(code: int) -> None:
    """With a new token, too: the bot gives up, in order, with exit code 3; its order is cancelled before."""
    played = after_closes(code, 5.0, 10.0)
    assert played.violations == []
    assert (played.summary.exit_code, played.summary.generations) == (3, 2)
    assert played.summary.exit_reason.startswith("the venue ends the session with a new token, too")
    assert played.summary.alarms == [played.summary.exit_reason]
    assert [order.status for order in played.seen.accepted] == ["CLOSED"]
