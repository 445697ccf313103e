"""Checks of this machine: what a run reads, writes and calculates with before it talks to anybody."""

import os
import resource
import stat
from pathlib import Path
from statistics import median

import attrs

from bot.core.fixed import SCALE
from bot.doctor.finding import Finding
from bot.doctor.patient import Patient
from bot.journal.redact import KEY_NAME, UnusableKeyError, hashing_key
from bot.journal.store import where_sessions_are
from bot.link import crosscheck
from bot.link.secrets import KeyUnavailableError, find_key, new_key
from bot.link.signer import PrivateKeyRefusedError, open_signer, parse_private_key
from bot.paradex.snip12 import OrderTerms
from bot.settings import DEFAULT_FILE, load
from bot.settings.fault import DEFAULT, SettingsError

DAY_OF_RECORDING = 100 * 2**20
"""Bytes. The default strategy's order a second makes 500 MB a day, and full parts are compressed to a sixth."""

PLAIN_PARTS = 2
"""So many parts of a session can be there uncompressed: the one being written, and the one being compressed."""

FEW_DAYS = 7

FILES_BESIDE_CONNECTIONS = 32
"""What a run has open besides its HTTP connections: streams, pipes, the journal, the WebSocket, and what opening
another of these takes meanwhile."""

SIGNATURES = 5
SLOW_SIGNATURE_MS = 10.0
"""The native library takes one, starknet-py more than 100."""

WHERE_KEYS_BELONG = (
    "put the key, 0x and hex digits, into a file of mode 0600 and name it in [account] key_file "
    "(umask 077 && cat > FILE)"
)


def settings(patient: Patient) -> Finding:
    try:
        loaded = load(patient.file, patient.environ)
    except SettingsError as error:
        return Finding.bad(
            str(error),
            "correct these lines; `bot config init` writes a file that explains every key",
            faults=[attrs.asdict(fault) for fault in error.faults],
        )
    patient.settings = loaded.settings
    given = sum(origin is not DEFAULT for origin in loaded.origins.values())
    place = patient.file or DEFAULT_FILE
    source = str(place) if place.exists() else "no file"
    return Finding.ok(
        f"{source}, {given} values given; environment {loaded.settings.environment}",
        environment=loaded.settings.environment,
        given=given,
    )


def key(patient: Patient) -> Finding:
    if patient.settings.environment == "embedded":
        patient.key = new_key()
        patient.redactor.register(patient.key)
        return Finding.ok("made for each run, as the embedded exchange knows no other", source="made")
    try:
        found = find_key(patient.settings.account, patient.environ)
    except KeyUnavailableError as error:
        return Finding.bad(str(error), WHERE_KEYS_BELONG)
    try:
        parse_private_key(found.secret.reveal())
    except PrivateKeyRefusedError as refused:
        return Finding.bad(
            f"{found.source}: {refused}", "export the account's key again, or make a subkey at the venue"
        )
    patient.key = found.secret
    patient.redactor.register(found.secret)
    mode = "" if found.mode is None else f", mode {found.mode:04o}"
    return Finding.ok(
        f"{found.source}{mode}; in the range of the curve",
        source=found.source,
        mode=None if found.mode is None else f"{found.mode:04o}",
    )


def signer(patient: Patient) -> Finding:
    """How long an order's hash and signature take here; account and chain do not matter for that."""
    signs = open_signer(private_key=patient.key.reveal(), chain_id="doctor", account="0x1")
    terms = OrderTerms(
        timestamp_ms=patient.clock.wall_ns() // 1_000_000,
        market="BTC-USD-PERP",
        side="BUY",
        order_type="LIMIT",
        size=SCALE,
        price=SCALE,
    )
    times_ns = []
    for _ in range(SIGNATURES):
        began_ns = patient.clock.monotonic_ns()
        signs.sign_order(terms)
        times_ns.append(patient.clock.monotonic_ns() - began_ns)
    took_ms = median(times_ns) / 1e6
    found = f"{signs.library}, {took_ms:.2f} ms an order"
    figures = {"library": signs.library, "order_ms": round(took_ms, 3)}
    if signs.library == "starknet-py":
        mend = "install fast-stark-crypto: it has wheels for Linux and macOS, Python 3.11 to 3.13"
        return Finding.warning(found, mend, **figures)
    if took_ms > SLOW_SIGNATURE_MS:
        return Finding.warning(found, "this machine is slow, or busy: look what else runs on it", **figures)
    return Finding.ok(found, **figures)


def signature(patient: Patient) -> Finding:
    message = patient.clock.wall_ns()
    try:
        differences = list(crosscheck.disagreements(patient.key, message))
    except ImportError as missing:
        return Finding.skipped(f"because there is no second library to compare with: {missing}")
    if differences:
        return Finding.bad(
            "; ".join(differences), "install both libraries again: `just test` tells which is wrong"
        )
    return Finding.ok("here and by starknet-py: the same public key, and each takes the other's signature")


def state_directory(patient: Patient) -> Finding:
    try:
        folder = where_sessions_are(patient.settings.journal, patient.environ)
    except RuntimeError as error:
        return Finding.bad(str(error), "name a folder in [journal] directory")
    found = next(place for place in (folder, *folder.parents) if place.exists())
    if not found.is_dir():
        return Finding.bad(f"{found} is no folder", "remove it, or name another place in [journal] directory")
    if not os.access(found, os.R_OK | os.W_OK | os.X_OK):
        return Finding.bad(
            f"{found} cannot be read and written by us", "chown it, or name another in [journal] directory"
        )
    patient.state_directory = folder
    if found != folder:
        return Finding.ok(
            f"{folder} is not there yet; the first run makes it", path=str(folder), exists=False
        )
    return _modes(folder)


def _modes(folder: Path) -> Finding:
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    figures = {"path": str(folder), "exists": True, "mode": f"{mode:04o}"}
    if status.st_uid != os.geteuid():
        return Finding.bad(f"{folder} belongs to user {status.st_uid}", f"chown it: {folder}", **figures)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        found = f"{folder} has mode {mode:04o}: others can replace what is in it"
        return Finding.bad(found, f"chmod 700 {folder}", **figures)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        found = f"{folder} has mode {mode:04o}: others can look into it, and sessions tell what is traded"
        return Finding.warning(found, f"chmod 700 {folder}", **figures)
    return Finding.ok(f"{folder}, mode {mode:04o}", **figures)


def disk(patient: Patient) -> Finding:
    folder = patient.state_directory
    place = next(place for place in (folder, *folder.parents) if place.exists())
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    part = patient.settings.journal.part_size * 2**20
    days = max(0.0, (free - PLAIN_PARTS * part) / DAY_OF_RECORDING)
    found = f"{free / 1e9:,.1f} GB free, {_days(days)} of recording at an order a second"
    figures = {"free_bytes": free, "days": round(days, 1)}
    mend = "remove old sessions (`bot journal ls` lists them), or name another disk in [journal] directory"
    if not days:
        return Finding.bad(found, mend, **figures)
    if days < FEW_DAYS:
        return Finding.warning(found, mend, **figures)
    return Finding.ok(found, **figures)


def _days(days: float) -> str:
    return (
        f"{days / 365:,.0f} years"
        if days > 3 * 365
        else f"{days:,.0f} days"
        if days >= 10
        else f"{days:.1f} days"
    )


def account_hash_key(patient: Patient) -> Finding:
    path = patient.state_directory / KEY_NAME
    if not path.exists():
        patient.hashing_key = None
        return Finding.ok("not there yet; the first run makes it", path=str(path))
    try:
        patient.hashing_key = hashing_key(patient.state_directory)
    except UnusableKeyError as error:
        return Finding.bad(str(error), f"chmod 600 {path}; or move it away: accounts are hashed anew then")
    return Finding.ok(str(path), path=str(path))


def open_files(patient: Patient) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * patient.settings.http.connections + FILES_BESIDE_CONNECTIONS
    limit = float("inf") if soft == resource.RLIM_INFINITY else soft
    figures = {"limit": soft, "hard_limit": hard, "needed": needed}
    found = f"{'no limit' if limit == float('inf') else soft}, and a run needs up to {needed}"
    if limit < needed:
        mend = f"ulimit -n {max(needed, 1024)}, or fewer connections in [http]"
        return Finding.bad(found, mend, **figures)
    return Finding.ok(found, **figures)
