"""Onboarding and tokens (protocol reference 2.2)."""

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.config import system_config
from bot.exchange.identity.login import derive, read_public_key
from bot.exchange.identity.tokens import INTERACTIVE
from bot.exchange.rest.access import Access
from bot.exchange.rest.parameters import boolean, one_of
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer


@attrs.frozen
class LoginRoutes:
    """How one becomes somebody here."""

    exchange: Exchange
    access: Access

    def routes(self) -> list[Route]:
        access = self.access
        return [
            *access.public([Route("GET", "/v1/onboarding", self._derivation)]),
            access.onboarding(Route("POST", "/v1/onboarding", self._onboard)),
            access.auth(Route("POST", "/v1/auth", self._authenticate)),
            access.auth(Route("POST", "/v1/auth/{public_key}", self._authenticate)),
        ]

    def _derivation(self, request: Request) -> Answer:
        signer_type = request.query.get("account_signer_type", "")
        if signer_type != "starknet":
            raise VenueError("INVALID_REQUEST_PARAMETER", "account_signer_type is served for starknet only")
        address = derive(read_public_key(request.query.get("public_key", "")))
        config = system_config()
        return json_answer(
            {
                "address": hex(address),
                "exists": self.exchange.accounts.find(address) is not None,
                "account_signer_type": signer_type,
                "derivation_info": {
                    "class_hash": config["paraclear_account_hash"],
                    "proxy_class_hash": config["paraclear_account_proxy_hash"],
                },
            }
        )

    def _onboard(self, request: Request) -> Answer:
        self.exchange.login.onboard(request.headers, request.body)
        return Answer(200)

    def _authenticate(self, request: Request) -> Answer:
        # What it asks for is granted: there are no isolated accounts here.
        boolean(request.headers, "paradex-authorize-isolated-markets")
        token = self.exchange.authenticate(
            request.headers,
            request.params.get("public_key"),
            interactive=one_of(request.query, "token_usage", {INTERACTIVE}) == INTERACTIVE,
            peer=request.peer,
        )
        return json_answer({"jwt_token": token})
