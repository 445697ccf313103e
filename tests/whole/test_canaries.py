"""Nothing secret is in anything that the bot writes, whatever the venue repeats and whatever breaks.

The bot trades with canaries on an exchange that quotes them wherever it can, and everything written is searched for
them in every writing. To see that the search would find them, each place that hides one is broken on purpose.
"""

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from errno import ENOSPC
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import trio
import zstandard
from loguru import logger

from bot import run
from bot.core.tape import HIDDEN
from bot.exchange.identity.tokens import Issued, Tokens
from bot.exchange.rest.api import Rest
from bot.exchange.stream.frames import ChannelData, Payload
from bot.exchange.transport import http as transport
from bot.journal.redact import Cleaner
from bot.journal.settings import JournalSettings
from bot.link import signer
from bot.link.secrets import Redactor, Secret
from bot.link.websocket import WebSocket
from bot.log import LogSettings, set_up
from bot.paradex import request, rest
from bot.paradex.request import Request
from bot.session.stream import Stream
from bot.settings import Settings
from bot.simulation.disk import MemoryDisk
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.probe import Probe, ProbeSettings

REPOSITORY = Path(__file__).resolve().parents[2]
ETHEREUM = 0xD8DA6BF26964AF9D7EED9E03E53415D37AA96045
CHANNEL = "orders.BTC-USD-PERP"


# The canaries.


@attrs.define(eq=False)
class Canaries:
    """Every secret there was so far, and whose session it is: numbers, and texts."""

    key: int = 0
    signatures: list[int] = attrs.field(factory=list)
    """``r`` and ``s`` of each."""

    tokens: list[str] = attrs.field(factory=list)
    account: list[int] = attrs.field(factory=list)
    """Address, public key and Ethereum address."""

    are_quoted: bool = True
    """By the exchange."""

    def told(self) -> str:
        """All of it in words, as somebody would who knows no better."""
        numbers = " ".join(f"{n:#x} 0x{n:064x} 0X{n:X}" for n in (self.key, *self.account))
        tokens = " ".join(
            f"Authorization: Bearer {token} {quote(token, safe='')}" for token in self.tokens[-2:]
        )
        pairs = f"signature: {self._pair(str)}, signature={self._pair(hex)}"
        return f"{numbers} {self.key:x} {self.signatures[-4:]} {tokens} {pairs}"

    def quoted(self) -> dict[str, Any]:
        """All of it in JSON, and in JSON in that."""
        inner = {
            "signature": self._pair(str),
            "bearer": self.tokens[-1:],
            "account": list(map(hex, self.account)),
        }
        body = json.dumps({"signature": self._pair(hex), "told": self.told()})
        numbers = {"r": self.signatures[-2:], "signature": list(map(hex, self.signatures[-2:]))}
        return {"echo": inner, "body": body, "request": json.dumps({"body": body}), "numbers": numbers}

    def _pair(self, form: Callable[[int], str]) -> str:
        """The last signature, as it stands in a header."""
        return json.dumps(list(map(form, self.signatures[-2:])))

    def secrets_in(self, written: bytes) -> set[str]:
        """Which of the secrets stand there, in whatever writing."""
        found = {"key"} if _number_in(self.key, written) else set[str]()
        found |= {"signature"} if any(_number_in(number, written) for number in self.signatures) else set()
        return found | ({"token"} if any(_text_in(token, written) for token in self.tokens) else set())

    def account_in(self, written: bytes) -> bool:
        return any(_number_in(number, written) for number in self.account)


def _number_in(number: int, written: bytes) -> bool:
    """Padding, 0x and capitals make no difference."""
    size = (number.bit_length() + 7) // 8
    forms = [f"{number:x}".encode(), str(number).encode(), *_encoded(number.to_bytes(size, "big"))]
    forms += [*_encoded(f"{number:x}".encode()), *_encoded(str(number).encode())]
    lowered = written.lower()
    return any(form.lower() in lowered for form in forms)


def _text_in(text: str, written: bytes) -> bool:
    escaped = text.replace("/", "\\/").encode()
    urls = {quote(text).encode(), quote(text, safe="").encode()}
    plain = {text.encode(), escaped, escaped.replace(b"\\", b"\\\\"), *urls}
    part = max(text.replace("/", ".").split("."), key=len).encode()  # without it the rest is worth nothing
    return any(form in written for form in (*plain, part, *_encoded(text.encode())))


def _encoded(raw: bytes) -> Iterator[bytes]:
    """Base64 of it, wherever in a longer text it begins; without the ends, which depend on what is around."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + raw)
        yield whole[4:-4]
        yield base64.urlsafe_b64encode(bytes(shift) + raw)[4:-4]


# An exchange that repeats what it hears.


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canaries]:
    """They are noted where they are made, and the exchange adds them to each of its answers."""
    known = Canaries()
    sign, issue, handle = signer._sign, Tokens.issue, Rest.handle

    def noted_signature(*given: Any) -> signer.Signature:
        signature = sign(*given)
        known.signatures += [signature.r, signature.s]
        return signature

    def noted_token(self: Tokens, *given: Any, **options: Any) -> Issued:
        issued = issue(self, *given, **options)
        known.tokens.append(issued.text)
        return issued

    async def echoing(self: Rest, request: transport.Request) -> transport.Answer:
        answer = await handle(self, request)
        if not known.are_quoted or not answer.body:
            return answer
        body = json.loads(answer.body)
        if "error" in body:
            heard = " ".join(f"{name}: {value}" for name, value in request.headers.items())
            body["message"] += f" ({heard} {request.body.decode()} {known.told()})"
        return attrs.evolve(answer, body=json.dumps(body | known.quoted()).encode())

    monkeypatch.setattr(signer, "_sign", noted_signature)
    monkeypatch.setattr(Tokens, "issue", noted_token)
    monkeypatch.setattr(Rest, "handle", echoing)
    yield known
    logger.remove()


@pytest.fixture
def opaque(monkeypatch: pytest.MonkeyPatch, canaries: Canaries) -> None:
    """Tokens of another exchange, which look like nothing in particular."""
    issue, check, numbers, real = Tokens.issue, Tokens.check, count(), dict[str, str]()

    def issue_opaque(self: Tokens, *given: Any, **options: Any) -> Issued:
        issued = issue(self, *given, **options)
        text = f"0paque/{next(numbers)}+b6Zt9~Kq2.Xw8Rv5Lm3Np7Hs1Jd4Gf0=="
        real[text] = issued.text
        canaries.tokens[-1] = text
        return attrs.evolve(issued, text=text)

    monkeypatch.setattr(Tokens, "issue", issue_opaque)
    monkeypatch.setattr(Tokens, "check", lambda self, text: check(self, real.get(str(text), str(text))))


def tell(r: Rehearsal, frame: str | bytes) -> None:
    """Send a frame to whoever is connected, as it is."""
    for session in r.exchange.feeds.sessions:
        update = ChannelData(CHANNEL, Payload({}))
        update.text = frame  # type: ignore[assignment] # what is encoded already goes out as it is, bytes too
        session.deliver(update)


def chatter(r: Rehearsal, canaries: Canaries) -> None:
    """Every kind of frame, with all secrets in it."""
    if not canaries.are_quoted:
        return
    words, quoted = canaries.told(), canaries.quoted()
    order = {"id": "77", "client_id": "x", "market": "BTC-USD-PERP", "status": "OPEN", "cancel_reason": words}
    params = {"channel": CHANNEL, "data": order | quoted}
    error = {"code": 40110, "message": words, "data": quoted}
    for message in (
        {"jsonrpc": "2.0", "method": "subscription", "params": params},
        {"jsonrpc": "2.0", "error": error},
        {"jsonrpc": "2.0", "id": words, "error": error},
    ):
        tell(r, json.dumps(message))
    tell(r, f"no JSON: {words}")
    tell(r, b"\x00\xff" + words.encode() + b"\xfe" + json.dumps(quoted).encode())
    ours = list(r.exchange.orders.values())[-1]
    known = {"id": ours.id, "client_id": ours.client_id, "market": ours.market, "status": "CLOSED"}
    for session in r.exchange.feeds.sessions:
        session.publish(CHANNEL, known | {"status": words})  # an alarm quotes it
        session.publish(CHANNEL, known | {"cancel_reason": words, "signature": words, **quoted})


# What is written.


@attrs.frozen
class Written:
    """All of it. ``journal`` includes what was compressed."""

    journal: bytes
    log: bytes
    others: bytes

    @property
    def everything(self) -> bytes:
        return self.journal + self.log + self.others


def session(
    canaries: Canaries,
    folder: Path,
    *,
    seconds: float = 3.4,
    happen: Callable[[Rehearsal], None] = lambda _: None,
    account: str = "hashed",
    disk: MemoryDisk | None = None,
) -> Written:
    """Trade, with an order refused, a reconnect and a token refused; the log at its most talkative."""
    log = io.StringIO()
    others: list[str] = []
    alarms: list[str] = []
    redactors: list[Redactor] = []

    async def play(r: Rehearsal) -> None:
        identity = attrs.evolve(r.surroundings.identity, ethereum_address=f"0x{ETHEREUM:040x}")
        r.surroundings = attrs.evolve(r.surroundings, identity=identity)
        redactors.append(r.surroundings.redactor)
        set_up(LogSettings(level="TRACE"), r.surroundings.redactor, log)
        canaries.key = int(identity.private_key, 16)
        r.network.at(1.4, lambda: _note_account(r, canaries))
        for at in (1.6, 2.6):
            r.network.at(at, lambda: chatter(r, canaries))
        r.network.at(1.5, lambda: r.exchange.set_mode("cancel_only"))
        r.network.at(1.8, lambda: r.exchange.set_mode("ok"))
        r.network.at(2.0, r.exchange.expire_tokens)
        r.network.at(2.2, r.exchange.drop_websockets)
        happen(r)
        summary = await r.trade(seconds)
        others.extend([summary.to_json().decode(), summary.to_table()])
        alarms.extend(summary.alarms)

    settings = attrs.evolve(
        Settings(),
        strategy=ProbeSettings(pause=0.1),
        journal=JournalSettings(account=account, part_size=1),
    )
    file = folder / "session.journal"
    try:
        rehearse(play, settings, delay=0.02, tls=False, journal=file, disk=disk)
    except Exception as error:  # noqa: BLE001 - as the verb does
        run._report(error)
    if disk is not None:
        disk.save()
    journal = b"".join(_content(path) for path in sorted(folder.iterdir()))
    printed = "".join(map(redactors[0].redact, others))  # as the verb does; a process is tested below
    return Written(journal, log.getvalue().encode(), "\n".join([printed, *alarms]).encode())


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw + zstandard.ZstdDecompressor().stream_reader(raw).read() if path.suffix == ".zst" else raw


def _note_account(r: Rehearsal, canaries: Canaries) -> None:
    *_, account = r.exchange.accounts
    canaries.account = [account.address, account.public_key, ETHEREUM]


# Nothing is found.


def test_a_plain_session(canaries: Canaries, tmp_path: Path) -> None:
    """With refused orders, a refused login, a reconnect, unreadable and binary frames. The account is hashed."""
    written = session(canaries, tmp_path)
    assert len(canaries.tokens) > 1
    assert len(canaries.signatures) > 10
    assert b"SYSTEM_STATUS_CANCEL_ONLY" in written.journal
    assert b"frame set aside" in written.log
    assert b"a status unknown here" in written.others
    assert canaries.secrets_in(written.everything) == set()
    assert not canaries.account_in(written.journal)


@pytest.mark.usefixtures("opaque")
def test_tokens_that_look_like_nothing(canaries: Canaries, tmp_path: Path) -> None:
    """Login tells of each of them, in time. The account stays where a setting keeps it, and nothing else does."""
    written = session(canaries, tmp_path, account="kept")
    assert len(canaries.tokens) > 1
    assert canaries.secrets_in(written.everything) == set()
    for number in canaries.account:
        assert f"{number:x}".encode() in written.journal


def test_a_strategy_that_breaks(canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything in its variables, in the text of its exception, in a cause and in a note."""
    on_event, events = Probe.on_event, count()

    def break_down(self: Probe, event: Any, trader: Any) -> None:
        if next(events) < 8:
            return on_event(self, event, trader)
        everything = {"local": canaries.told()}
        error = RuntimeError(f"broken with {everything}")
        error.add_note(json.dumps(canaries.quoted()))
        raise error from KeyError(canaries.told())

    monkeypatch.setattr(Probe, "on_event", break_down)
    written = session(canaries, tmp_path)
    assert b"RuntimeError" in written.log
    assert b"KeyError" in written.log
    assert canaries.secrets_in(written.everything) == set()


def test_a_disk_that_is_full(canaries: Canaries, tmp_path: Path) -> None:
    """The alarm and the refused orders quote nothing either."""
    disk = MemoryDisk()

    def fill(r: Rehearsal) -> None:
        r.network.at(1.7, lambda: setattr(disk, "write_error", ENOSPC))
        r.network.at(2.4, lambda: setattr(disk, "write_error", 0))

    written = session(canaries, tmp_path, disk=disk, happen=fill)
    assert b"[JOURNAL]" in written.log
    assert canaries.secrets_in(written.everything) == set()
    assert not canaries.account_in(written.journal)


def test_a_login_that_is_refused_for_good(
    canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason in the summary is the venue's, quotation and all."""
    codes: dict[str, str] = {"NOT_ONBOARDED": "INVALID_STARKNET_SIGNATURE"}
    failure = request.failure

    def for_good(status: int, body: bytes) -> Any:
        refused = json.loads(body)
        return failure(status, json.dumps(refused | {"error": codes.get(refused["error"], "")}).encode())

    monkeypatch.setattr(request, "failure", for_good)
    written = session(canaries, tmp_path)
    assert b"INVALID_STARKNET_SIGNATURE" in written.others
    assert canaries.secrets_in(written.everything) == set()


def test_what_the_verb_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The table on stdout and the file of the summary: their words may be the venue's."""
    key = Secret(f"{0x5BB9440E2767B2A1F2C4FFAE1A0B2B3C4D5E6F708192A3B4C5D6E7F8091A2B3:#x}")
    words = f"the venue refuses: {key.reveal()}, Authorization: Bearer 0a1B2c3D4e5F6g7H8i9J"
    summary = Summary(environment="embedded", exit_reason=words, is_fatal=True, alarms=[words])
    monkeypatch.setattr(trio, "run", lambda *_: summary)
    monkeypatch.setattr(run, "set_up", lambda *_: None)
    monkeypatch.setattr(run, "new_key", lambda: key)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "summary.json"
    assert run.run_bot(run.Options(summary=file, no_record=True), None) == 3  # type: ignore[arg-type]
    told = json.loads(file.read_text())
    assert (
        told["alarms"]
        == [told["exit_reason"]]
        == [f"the venue refuses: {HIDDEN}, Authorization: Bearer {HIDDEN}"]
    )
    assert capfd.readouterr().out.count(told["exit_reason"]) == 2


def test_a_key_file_with_a_slip_of_the_pen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is started, and the file is named, not quoted."""
    key = f"{0x5BB9440E2767B2A1F2C4FFAE1A0B2B3C4D5E6F708192A3B4C5D6E7F8091A2B3:x}"
    for number, text in enumerate([key, f"0x{key}g", f"0x{key}00", f"0x{key} 0x{key}", f"0xf{key}"]):
        file, settings = tmp_path / f"key{number}", tmp_path / "settings.toml"
        file.write_text(text)
        file.chmod(0o600)
        settings.write_text(f'environment = "testnet"\n[account]\nkey_file = "{file}"\n')
        assert run.run_bot(run.Options(settings=settings, no_record=True), None) == 2  # type: ignore[arg-type]
        printed = "".join(capfd.readouterr())
        assert key[:20] not in printed.lower()
        assert f"key{number}" in printed or "private key" in printed


# The search finds what is there, and the net catches what slips through.


def leak_nothing(_: pytest.MonkeyPatch) -> None:
    """The venue repeats enough."""


def leak_requests(patch: pytest.MonkeyPatch) -> None:
    """Bodies and headers as they leave; the token is no part of a request."""

    def shown(self: Request[Any], _hidden: str) -> dict[str, Any]:
        body = {} if self.body is None else {"body": self.body.decode()}
        return {"method": self.method, "path": self.path, "headers": dict(self.headers), **body}

    patch.setattr(Request, "shown", shown)


def leak_frames(patch: pytest.MonkeyPatch) -> None:
    """The frame with the token in it."""
    send = WebSocket.send

    def plain(self: WebSocket, frame: str, *, shown: str | None = None) -> None:
        del shown
        send(self, frame)

    patch.setattr(WebSocket, "send", plain)


def leak_logins(patch: pytest.MonkeyPatch) -> None:
    """The answer that is a token."""
    auth = rest.auth
    patch.setattr(rest, "auth", lambda **given: attrs.evolve(auth(**given), secret_answer=False))


LEAKS = {
    "venue": (leak_nothing, {"key", "token", "signature"}),
    "requests": (leak_requests, {"signature"}),
    "frames": (leak_frames, {"token"}),
    "logins": (leak_logins, {"token"}),
}


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.usefixtures("opaque")
def test_every_leak_is_found_and_caught(
    leak: str, canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the net the search finds what leaks; with it there is nothing to find."""
    make, lost = LEAKS[leak]
    canaries.are_quoted = leak == "venue"
    make(monkeypatch)
    for folder, found in (("with", set[str]()), ("without", lost)):
        (tmp_path / folder).mkdir()
        assert canaries.secrets_in(session(canaries, tmp_path / folder, seconds=1.8).journal) == found
        monkeypatch.setattr(Cleaner, "clean", lambda _self, payload: payload)


def test_a_talkative_log_is_found_out(
    canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a line of the log says too much goes no further than the redactor."""
    call = Stream.call

    async def wordy(self: Stream, method: str, params: dict[str, Any], **options: Any) -> None:
        logger.trace("asks {} with {} and {}: {}", method, params, options, canaries.told())
        await call(self, method, params, **options)

    monkeypatch.setattr(Stream, "call", wordy)
    for number, found in enumerate([set[str](), {"key", "token", "signature"}]):
        (tmp_path / str(number)).mkdir()
        log = session(canaries, tmp_path / str(number), seconds=0.5).log
        assert b"asks auth" in log
        assert canaries.secrets_in(log) == found
        monkeypatch.setattr(Redactor, "redact", lambda _self, text: text)


def test_the_search_knows_every_writing() -> None:
    """Text, hexadecimal in any form, decimal, base64, as URLs and JSON escape it; alone or in the middle."""
    key, token = (
        0x5BB9440E2767B2A1F2C4FFAE1A0B2B3C4D5E6F708192A3B4C5D6E7F8091A2B3,
        "t0/ken+wi~th.many-si_gns==",
    )
    canaries = Canaries(key=key, signatures=[3 * key], tokens=[token])
    writings = [hex(key), f"0x{key:064X}", f"{key:x}", str(key), json.dumps([key])]
    raw = [key.to_bytes(32, "big"), f"{key:x}".encode(), str(key).encode()]
    for shift in range(4):
        writings += [base64.b64encode(bytes(shift) + each + b"more").decode() for each in raw]
    assert all(canaries.secrets_in(f"a{writing} b".encode()) == {"key"} for writing in writings)
    tokens = [token, quote(token), quote(token, safe=""), token.replace("/", "\\/"), json.dumps({"t": token})]
    tokens += [base64.b64encode(bytes(shift) + f"Bearer {token}.".encode()).decode() for shift in range(4)]
    assert all(canaries.secrets_in(f"a{writing} b".encode()) == {"token"} for writing in tokens)
    assert canaries.secrets_in(f"{3 * key:X} {key + 1:x}".encode()) == {"signature"}
    assert canaries.secrets_in(b"nothing") == set()


# A real process, for whatever else may print.

BROKEN = """
import logging
import sys
from itertools import count
from pathlib import Path
from bot.__main__ import early
from bot.link.secrets import Redactor
from bot.run import Options, run_bot
from bot.trading.strategies.probe import Probe

told, events, on_event = [], count(), Probe.on_event
register, register_token = Redactor.register, Redactor.register_token


def hear(tell):
    def heard(self, secret):
        told.append(secret.reveal())
        tell(self, secret)
    return heard


def break_down(self, event, trader):
    if next(events) < 3:
        return on_event(self, event, trader)
    local = list(told)
    logging.getLogger("trio-websocket").warning("a library knows %s", local)
    raise RuntimeError(f"broken with {local}")


Redactor.register, Redactor.register_token = hear(register), hear(register_token)
Probe.on_event = break_down
code = run_bot(Options(seconds=60), early)
Path(sys.argv[1]).write_text("\\n".join(told))
sys.exit(code)
"""


def test_a_process_that_crashes(tmp_path: Path) -> None:
    """Exit code 1, a traceback on stderr, a journal in the state directory, and no secret in any of them."""
    home, told = tmp_path / "home", tmp_path / "told"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, str(told)],
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(REPOSITORY),
            "BOT__LOG__LEVEL": "TRACE",
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr.decode()
    assert b"RuntimeError: broken with" in done.stderr
    assert b"[trio-websocket] a library knows" in done.stderr
    key, *tokens = told.read_text().split()
    files = [path for path in home.rglob("*") if path.is_file()]
    journal = b"".join(_content(path) for path in files if ".journal" in path.name)
    assert b'"ws<"' in journal
    assert tokens
    canaries = Canaries(key=int(key, 16), tokens=tokens)
    everything = done.stdout + done.stderr + b"".join(path.read_bytes() for path in files) + journal
    assert canaries.secrets_in(everything) == set()
