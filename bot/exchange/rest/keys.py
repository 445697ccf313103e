"""Subkeys of an account (openapi, ``/account/keys/subkeys``). Only the account's own key manages them."""

import attrs
import msgspec

from bot.exchange.bodies import read_body
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.allowlist import AllowList, read_cidrs
from bot.exchange.identity.login import read_public_key
from bot.exchange.identity.registration import ActivateSubkey, CreateSubkey, read_name
from bot.exchange.identity.subkeys import Subkey
from bot.exchange.matching.caller import Caller
from bot.exchange.rest.access import Access, Private
from bot.exchange.rest.parameters import boolean
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer


class _Update(msgspec.Struct):
    name: str


class _AllowedCidrs(msgspec.Struct):
    allowed_cidrs: list[str] | None = None


_CREATE = msgspec.json.Decoder(CreateSubkey)
_ACTIVATE = msgspec.json.Decoder(ActivateSubkey)
_UPDATE = msgspec.json.Decoder(_Update)
_ALLOWED = msgspec.json.Decoder(_AllowedCidrs)


def own_key_only(exchange: Exchange, handler: Private) -> Private:
    """The handler, refused with INVALID_TOKEN_SCOPE to tokens of subkeys (protocol reference 2.2)."""

    def checked(request: Request, caller: Caller) -> Answer:
        if not exchange.gate.is_own_key(caller.grant):
            raise VenueError("INVALID_TOKEN_SCOPE", "only the account's own key manages keys and tokens")
        return handler(request, caller)

    return checked


def read_allowed(request: Request) -> AllowList:
    """The whole new allow-list; an empty or absent one lets everybody in.

    Raises:
        VenueError: what `read_body` and `read_cidrs` raise.
    """
    return read_cidrs(read_body(request.body, _ALLOWED).allowed_cidrs or ())


@attrs.frozen
class KeyRoutes:
    """Who else may trade for an account."""

    exchange: Exchange
    access: Access

    def routes(self) -> list[Route]:
        def managed(method: str, path: str, handler: Private) -> Route:
            return self.access.route(method, path, own_key_only(self.exchange, handler))

        path = "/v1/account/keys/subkeys"
        one = f"{path}/{{public_key}}"
        return [
            self.access.route("GET", path, self._list),
            managed("POST", path, self._register),
            # It needs no token, and so counts as public.
            *self.access.public([Route("POST", f"{path}/activate", self._activate)]),
            self.access.route("GET", one, self._get),
            managed("PUT", one, self._rename),
            managed("DELETE", one, self._revoke),
            managed("PUT", f"{one}/allowed-cidrs", self._restrict),
        ]

    def _list(self, request: Request, caller: Caller) -> Answer:
        # The specification's name of the parameter, and the official SDK's.
        revoked = boolean(request.query, "with_revoked") or boolean(request.query, "include_revoked")
        subkeys = self.exchange.subkeys.of(caller.account.address, with_revoked=revoked)
        return json_answer({"results": [subkey.view() for subkey in subkeys]})

    def _register(self, request: Request, caller: Caller) -> Answer:
        self.exchange.registration.register(caller.account, read_body(request.body, _CREATE))
        return Answer(201)

    def _activate(self, request: Request) -> Answer:
        encrypted_key = self.exchange.registration.activate(read_body(request.body, _ACTIVATE))
        return json_answer({"encrypted_key": encrypted_key})

    def _get(self, request: Request, caller: Caller) -> Answer:
        return json_answer(self._find(request, caller).view())

    def _rename(self, request: Request, caller: Caller) -> Answer:
        subkey = self._find(request, caller)
        self.exchange.subkeys.rename(subkey, read_name(read_body(request.body, _UPDATE).name))
        return json_answer(subkey.view())

    def _restrict(self, request: Request, caller: Caller) -> Answer:
        subkey = self._find(request, caller)
        self.exchange.subkeys.restrict(subkey, read_allowed(request))
        return json_answer(subkey.view())

    def _revoke(self, request: Request, caller: Caller) -> Answer:
        subkey = self._find(request, caller)
        self.exchange.subkeys.revoke(subkey)
        return json_answer({"public_key": hex(subkey.public_key)})

    def _find(self, request: Request, caller: Caller) -> Subkey:
        public_key = read_public_key(request.params["public_key"])
        return self.exchange.subkeys.find(caller.account.address, public_key)
