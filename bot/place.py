"""Where to trade: the embedded exchange, an environment's own addresses, or those that the settings name."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import certifi

from bot.embedded import open_embedded
from bot.paradex.environment import PUBLIC_VENUES, Venue
from bot.session.stop import Stop
from bot.settings import Settings


@attrs.frozen
class Place:
    """A venue, and whom to believe that it is the one."""

    venue: Venue
    tls: ssl.SSLContext


@asynccontextmanager
async def open_place(settings: Settings, stop: Stop) -> AsyncIterator[Place | None]:
    """Where to trade; None if the bot was stopped before the embedded exchange was up.

    Raises:
        FatalError: the embedded exchange did not come up.
        OSError: the authorities in ``ca_file`` cannot be read.
    """
    if stop.is_asked:
        yield None
    elif settings.venue.rest_url:
        venue = Venue(settings.venue.rest_url, settings.venue.ws_url)
        yield Place(venue, trusting(settings.venue.ca_file))
    elif settings.environment == "embedded":
        async with open_embedded(settings.exchange, stop, hidden=settings.account.key_env) as embedded:
            yield None if embedded is None else Place(embedded.venue, trusting(str(embedded.ca_file)))
    else:
        yield Place(PUBLIC_VENUES[settings.environment], trusting(settings.venue.ca_file))


def trusting(ca_file: str) -> ssl.SSLContext:
    """A client's context. Made once a run: reading the authorities takes longer than an order may."""
    if ca_file:
        return ssl.create_default_context(cafile=ca_file)
    context = ssl.create_default_context()
    # A Python of python.org finds none of its system's on macOS
    context.load_verify_locations(certifi.where())
    return context
