"""Where the venue is."""

from urllib.parse import urlsplit

from bot.paradex.environment import ENVIRONMENTS, PUBLIC_VENUES, VenueSettings


def test_each_public_environment_has_its_own_hosts() -> None:
    """By protocol reference, section 1: encrypted, below /v1, and never one environment's host in the other."""
    assert set(ENVIRONMENTS) == {"embedded", *PUBLIC_VENUES}
    for name, venue in PUBLIC_VENUES.items():
        assert venue.rest_url == f"https://api.{name}.paradex.trade/v1"
        assert venue.ws_url == f"wss://ws.api.{name}.paradex.trade/v1"
    assert (
        len(
            {
                urlsplit(url).hostname
                for venue in PUBLIC_VENUES.values()
                for url in (venue.rest_url, venue.ws_url)
            }
        )
        == 4
    )


def test_nothing_is_overridden_by_default() -> None:
    """Empty means the environment's own."""
    assert VenueSettings() == VenueSettings(rest_url="", ws_url="", ca_file="")
