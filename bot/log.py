"""The log: lines on stderr, with no secret in them."""

import logging
from collections.abc import Callable
from typing import Protocol

import attrs
from loguru import logger

from bot.core.setting import setting
from bot.link.secrets import Redactor


@attrs.frozen
class LogSettings:
    """The ``[log]`` table."""

    level: str = setting(
        "INFO",
        "least level that is written",
        choices=("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"),
    )
    colour: str = setting(
        "auto", "whether lines are coloured; auto: on a terminal", choices=("auto", "always", "never")
    )


class Stream(Protocol):
    """Where lines go: a `bot.link.outlet.Outlet`, or a test's."""

    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


# Times are UTC, as the venue's are.
_FORMAT = "<dim>{time:YYYY-MM-DD HH:mm:ss.SSS!UTC}</dim> <level>{level: <5} {message}</level>"


class _Library(logging.Handler):
    """Takes what a library logs, and nobody handles, into our log: logging itself prints it on stderr as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        logger.opt(exception=record.exc_info).log(level, "[{}] {}", record.name, record.getMessage())


# Their lines below WARNING show query strings and signature headers.
_TALKATIVE = ("httpx", "httpcore")


def set_up(settings: LogSettings, redactor: Redactor, stream: Stream) -> None:
    """Make redacted lines on ``stream`` the only sink of the log.

    ``diagnose`` and ``backtrace`` are off: the one prints the values of local variables, keys included, the
    other the callers above the place where an exception was caught. ``catch`` is off because on it loguru
    answers a fault of the sink by printing the record, past the redactor; so ``stream`` must not raise.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.lastResort = _Library(logging.WARNING)
    logger.remove()
    logger.add(
        _sink(stream, redactor),
        level=settings.level,
        format=_FORMAT,
        colorize=stream.isatty() if settings.colour == "auto" else settings.colour == "always",
        backtrace=False,
        diagnose=False,
        catch=False,
    )


def _sink(stream: Stream, redactor: Redactor) -> Callable[[str], None]:
    def write(text: str) -> None:
        stream.write(redactor.redact(text))

    return write
