"""Every kind of strike there is, by its name."""

from bot.simulation.campaign.strikes import machine, requests, venue, way
from bot.simulation.campaign.strikes.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*requests.kinds(), *venue.kinds(), *way.kinds(), *machine.kinds())
}
