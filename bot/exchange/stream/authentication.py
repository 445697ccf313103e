"""The `auth` method: whom a socket speaks for (protocol reference 2.2, 4.2)."""

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.gate import Gate
from bot.exchange.identity.tokens import TokenRefused
from bot.exchange.stream.rpc import (
    INVALID_BEARER,
    INVALID_REQUEST,
    MALFORMED_BEARER,
    Call,
    RpcError,
    read_text_param,
)
from bot.exchange.stream.session import Done, Method, Session, Speaker


@attrs.frozen
class Authentication:
    """Checks bearer tokens. A socket stays authenticated when its token expires, as on the venue."""

    gate: Gate

    def methods(self) -> dict[str, Method]:
        return {"auth": self._authenticate}

    def _authenticate(self, session: Session, call: Call) -> Done:
        bearer = read_text_param(call, "bearer")
        try:
            account, grant = self.gate.admit(bearer, session.ip)
        except TokenRefused as error:
            code = MALFORMED_BEARER if error.malformed else INVALID_BEARER
            raise RpcError(code, str(error)) from error
        except VenueError as error:
            raise RpcError(INVALID_BEARER, "invalid bearer token", error.code) from error
        if session.speaker is not None and session.speaker.account.address != account.address:
            raise RpcError(INVALID_REQUEST, "invalid request", "the connection belongs to another account")
        session.speaker = Speaker(account, grant)
        return Done({"node_id": session.node_id})
