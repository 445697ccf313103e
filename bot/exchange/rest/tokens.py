"""Read-only tokens of an account (openapi, ``/account/tokens``). Only the account's own key manages them."""

import attrs
import msgspec

from bot.exchange.bodies import read_body
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.allowlist import read_cidrs
from bot.exchange.identity.readonly import ReadOnlyToken
from bot.exchange.identity.registration import read_name
from bot.exchange.limits import LONGEST_TOKEN_TYPE
from bot.exchange.matching.caller import Caller
from bot.exchange.rest.access import Access, Private
from bot.exchange.rest.keys import own_key_only, read_allowed
from bot.exchange.rest.parameters import boolean
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer


class _CreateToken(msgspec.Struct):
    name: str
    token_type: str
    expiry_duration: int
    allowed_cidrs: list[str] | None = None


_CREATE = msgspec.json.Decoder(_CreateToken)


@attrs.frozen
class TokenRoutes:
    """Who else may look at an account. Whatever its type, a token made here reads and does nothing else."""

    exchange: Exchange
    access: Access

    def routes(self) -> list[Route]:
        def managed(method: str, path: str, handler: Private) -> Route:
            return self.access.route(method, path, own_key_only(self.exchange, handler))

        path = "/v1/account/tokens"
        return [
            self.access.route("GET", path, self._list),
            managed("POST", path, self._create),
            managed("DELETE", f"{path}/{{lookup_id}}", self._revoke),
            managed("PUT", f"{path}/{{lookup_id}}/allowed-cidrs", self._restrict),
        ]

    def _list(self, request: Request, caller: Caller) -> Answer:
        tokens = self.exchange.readonly_tokens.of(
            caller.account.address,
            kind=request.query.get("kind") or None,
            with_invalid=boolean(request.query, "with_invalid"),
        )
        return json_answer({"results": [token.view() for token in tokens]})

    def _create(self, request: Request, caller: Caller) -> Answer:
        wanted = read_body(request.body, _CREATE)
        kind = wanted.token_type
        # The venue's list of types is not published, so any word is one.
        if not 0 < len(kind) <= LONGEST_TOKEN_TYPE or not kind.isascii() or not kind.isprintable():
            raise VenueError("VALIDATION_ERROR", "token_type is no word")
        token, text = self.exchange.readonly_tokens.create(
            caller.account.address,
            caller.account.public_key,
            read_name(wanted.name),
            kind,
            wanted.expiry_duration,
            read_cidrs(wanted.allowed_cidrs or ()),
        )
        return json_answer({"api_token": token.view(), "token": text})

    def _revoke(self, request: Request, caller: Caller) -> Answer:
        token = self._find(request, caller)
        self.exchange.readonly_tokens.revoke(token)
        return json_answer({"lookup_id": token.lookup_id})

    def _restrict(self, request: Request, caller: Caller) -> Answer:
        token = self._find(request, caller)
        self.exchange.readonly_tokens.restrict(token, read_allowed(request))
        return json_answer(token.view())

    def _find(self, request: Request, caller: Caller) -> ReadOnlyToken:
        return self.exchange.readonly_tokens.find(caller.account.address, request.params["lookup_id"])
