"""What the exchange says about itself (protocol reference 1)."""

from typing import Any

import attrs

from bot.core.fixed import render
from bot.exchange.clearing import fees
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.config import system_config
from bot.exchange.limits import INSURANCE_FUND
from bot.exchange.rest.pages import Listed, Listing, Pager
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views.account import USDC

ANNOUNCEMENTS = Listing[dict[str, Any]]("announcements", lambda announcement: int(announcement["visible_at"]))


@attrs.frozen
class SystemRoutes:
    """Time, state, configuration, keys, and the fund that stands in for who is liquidated."""

    exchange: Exchange
    pager: Pager

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/system/time", self._time),
            Route("GET", "/v1/system/state", self._state),
            Route("GET", "/v1/system/config", lambda _request: json_answer(system_config())),
            Route("GET", "/v1/system/announcements", self._announcements),
            Route("GET", "/v1/system/volume-tiers", lambda _request: json_answer({"results": _tiers()})),
            Route("GET", "/v1/system/portfolio-margin-config", self._portfolio_margin),
            Route("GET", "/v1/insurance", self._insurance),
            Route("GET", "/v1/jwks.json", lambda _request: json_answer(self.exchange.tokens.jwks)),
        ]

    def _time(self, _request: Request) -> Answer:
        now_ms = self.exchange.stamps.now_ms()
        as_text = self.exchange.settings.server_time == "text"
        return json_answer({"server_time": str(now_ms) if as_text else now_ms})

    def _state(self, _request: Request) -> Answer:
        return json_answer({"status": self.exchange.mode})

    def _announcements(self, request: Request) -> Answer:
        # Nobody announces anything here.
        page = self.pager.page(ANNOUNCEMENTS, 0, Listed[dict[str, Any]](()), request.query)
        return json_answer(page.view(lambda announcement: announcement))

    def _portfolio_margin(self, request: Request) -> Answer:
        base = request.query.get("base_asset", "")
        if base:
            raise VenueError("PORTFOLIO_MARGIN_CONFIG_NOT_FOUND", f"no portfolio margin of {base[:40]!r}")
        return json_answer({"results": []})

    def _insurance(self, _request: Request) -> Answer:
        fund = self.exchange.clearing.summary(INSURANCE_FUND)
        return json_answer(
            {
                "account": hex(fund.account),
                "account_value": render(fund.value),
                "settlement_asset": USDC,
                "updated_at": fund.updated_at_ms,
            }
        )


def _tiers() -> list[dict[str, Any]]:
    """The VolumeTierResp objects: the taker's tiers, and the one of retail orders, which pay nothing."""
    pro = [_tier("pro", tier.name, tier.volume, fees.MAKER_RATE, tier.taker_rate) for tier in fees.TIERS]
    tiers = [*pro, _tier("retail", fees.TIERS[0].name, 0, 0, 0)]
    return [{**tier, "sort_order": order} for order, tier in enumerate(tiers)]


def _tier(kind: str, name: str, volume: int, maker_rate: int, taker_rate: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "tier_name": name,
        "min_volume": render(volume),
        "min_volume_duration": f"{fees.VOLUME_DAYS}d",
        "nft_min_volume": "0",
        "fee_rates": {"maker_rate": render(maker_rate), "taker_rate": render(taker_rate)},
    }
