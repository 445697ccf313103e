import contextlib
import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from loguru import logger

from bot.core.tape import HIDDEN
from bot.link.secrets import Redactor, Secret
from bot.log import LogSettings, set_up

KEY = "0x5bb9440e2767b2a1f2c4ffae1a0b2b3c4d5e6f708192a3b4c5d6e7f8091a2b3"


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """Leaves no sink on a stream of these tests behind."""
    yield
    logger.remove()


def _set_up(settings: LogSettings | None = None) -> io.StringIO:
    """The log with the key registered, on a stream in memory."""
    stream = io.StringIO()
    redactor = Redactor()
    redactor.register(Secret(KEY))
    set_up(settings or LogSettings(), redactor, stream)
    return stream


def test_a_line_has_time_level_and_message() -> None:
    """``2026-11-22 23:13:31.123 INFO  [INIT] …``: bracketed words are the caller's."""
    stream = _set_up()
    logger.info("[INIT] Paradex HTTP connection pool warmed up")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO  \[INIT\] Paradex HTTP connection pool warmed up\n",
        stream.getvalue(),
    )


def test_the_level_is_the_least_that_is_written() -> None:
    stream = _set_up(LogSettings(level="WARNING"))
    logger.info("quiet")
    logger.warning("loud")
    assert stream.getvalue().endswith("WARNING loud\n")
    assert stream.getvalue().count("\n") == 1


def test_setting_up_again_replaces_the_sink() -> None:
    """Nothing is written twice, and loguru's own sink, which shows local variables, is gone."""
    first = _set_up()
    second = _set_up()
    logger.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


@pytest.mark.parametrize(("colour", "coloured"), [("auto", False), ("always", True), ("never", False)])
def test_colour_is_for_terminals_unless_asked_for(colour: str, *, coloured: bool) -> None:
    """A stream in memory is no terminal."""
    stream = _set_up(LogSettings(colour=colour))
    logger.error("red")
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_on_a_terminal_lines_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    set_up(LogSettings(), Redactor(), stream)
    logger.error("red")
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize("colour", ["always", "never"])
def test_no_secret_passes_in_message_exception_or_local_variable(colour: str) -> None:
    """The whole formatted text goes through the redactor, and tracebacks show no values of variables."""
    stream = _set_up(LogSettings(colour=colour))
    local = "value of a local variable"
    logger.info("message {}", KEY)
    logger.info("message {}", Secret(local))
    error = ExceptionGroup(f"group of {int(KEY, 16)}", [ValueError(KEY)])
    error.add_note(f"Authorization: Bearer {local.replace(' ', '-')}")
    error.__cause__ = KeyError(KEY)
    with contextlib.suppress(ExceptionGroup), logger.catch(reraise=True, message="failed with " + KEY):
        raise error
    text = stream.getvalue()
    assert KEY[2:] not in text
    assert str(int(KEY, 16)) not in text
    assert local not in text
    assert local.replace(" ", "-") not in text
    assert text.count(HIDDEN) == 7
    assert "ExceptionGroup" in text
    assert "raise error" in re.sub("\x1b\\[[0-9;]*m", "", text)


def test_the_http_libraries_are_quiet() -> None:
    """Below WARNING they print query strings and signature headers."""
    _set_up()
    assert [
        logging.getLogger(name).getEffectiveLevel() for name in ("httpx", "httpcore", "httpcore.http11")
    ] == [logging.WARNING] * 3


def test_what_a_library_logs_goes_the_same_way() -> None:
    """Without a handler of its own Python would print it on stderr, as it is."""
    stream = _set_up()
    assert logging.lastResort is not None
    record = logging.LogRecord("library", logging.CRITICAL, __file__, 1, "broken with %s {}", (KEY,), None)
    logging.lastResort.handle(record)
    assert stream.getvalue().endswith(f"ERROR [library] broken with {HIDDEN} {{}}\n")
    assert logging.lastResort.level == logging.WARNING


def test_a_fault_of_ours_in_the_sink_is_raised_and_prints_no_record(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Loguru would otherwise print the record, as it was before the redactor."""
    stream = io.StringIO()
    bugs: dict[str, int] = {}
    monkeypatch.setattr(stream, "write", lambda _: bugs["bug"])
    set_up(LogSettings(), Redactor(), stream)
    with pytest.raises(KeyError, match="bug"):
        logger.info(KEY)
    assert capfd.readouterr().err == ""


def test_a_lost_stderr_leaves_the_exit_code_alone() -> None:
    """A real process, because the interpreter flushes stderr once more while it exits."""
    reader, writer = os.pipe()
    os.close(reader)
    program = (
        "import sys\n"
        "from loguru import logger\n"
        "from bot.link.outlet import Outlet\n"
        "from bot.link.secrets import Redactor\n"
        "from bot.log import LogSettings, set_up\n"
        "set_up(LogSettings(), Redactor(), Outlet(sys.stderr))\n"
        "logger.info('x' * 100_000)\n"
        "raise SystemExit(4)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 4
