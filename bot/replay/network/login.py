"""What a login needs and a recording does not hold: tokens, and why one was refused."""

import base64
from itertools import zip_longest
from math import inf

import attrs
import msgspec

from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, json_answer, refusal
from bot.replay.network.question import Key
from bot.replay.network.score import Exchange, Score, as_object, seconds
from bot.session.login import REFRESH_AT

AUTH: Key = ("POST", ("auth",), (), "")
ONBOARDING: Key = ("POST", ("onboarding",), (), "")

BEARER_REFUSED = frozenset({40110, 40111})
"""Codes of replies over the WebSocket that ask for another token (protocol reference 4.2)."""

SHORTEST_S = 300.0
"""How long a token lives at least when nothing says how long (protocol reference 2.2)."""

LONG = 1.5
"""How much longer than it was used a token lives that was not renewed by the clock."""


@attrs.frozen
class Logins:
    """Answers to logins, in recorded order; the last token is given out again to whoever asks more often."""

    _lives: dict[int, float]
    """Seconds, by the number of the request."""

    _before_onboarding: frozenset[int]
    """Numbers of the requests after which the recorded bot onboarded its account."""

    def answer(self, exchange: Exchange) -> Answer:
        """In place of the recorded answer, which is hidden: a token that is renewed when the recorded one was.

        Which refusal it was is told by what the recorded bot did next.
        """
        if exchange.asked.number in self._lives:
            return json_answer({"jwt_token": _jwt(self._lives[exchange.asked.number])})
        assert exchange.ended is not None
        if exchange.asked.number in self._before_onboarding:
            return refusal(VenueError("NOT_ONBOARDED", "as recorded"))
        status = exchange.ended.data["status"]
        return refusal(VenueError("INVALID_TOKEN", "the recording does not tell why", status=status))

    def again(self, key: Key) -> Answer:
        """To who asks once more than it was recorded."""
        if key == ONBOARDING:
            return Answer(200)
        return json_answer({"jwt_token": _jwt(max(self._lives.values(), default=SHORTEST_S))})


def read_logins(score: Score) -> Logins:
    """How long each token lived: until 60 % of its life it was not renewed by the clock."""
    exchanges = list(score.exchanges.get(AUTH, ()))
    refused_ns = sorted(
        each.ended.ns
        for several in score.exchanges.values()
        for each in several
        if each.ended is not None and _refuses_token(each)
    )
    onboarded = [each.asked.number for each in score.exchanges.get(ONBOARDING, ())]
    lives = {}
    before_onboarding = set()
    for exchange, following in zip_longest(exchanges, exchanges[1:]):
        until = inf if following is None else following.asked.number
        if any(exchange.asked.number < number < until for number in onboarded):
            before_onboarding.add(exchange.asked.number)
        if exchange.ended is None or not exchange.is_success:
            continue
        given_ns = exchange.ended.ns
        until_ns = score.end_ns if following is None else following.asked.ns
        by_the_clock = following is not None and not any(given_ns < ns <= until_ns for ns in refused_ns)
        life = seconds(until_ns - given_ns) / REFRESH_AT
        lives[exchange.asked.number] = life if by_the_clock else max(life * LONG, SHORTEST_S)
    return Logins(lives, frozenset(before_onboarding))


def _refuses_token(exchange: Exchange) -> bool:
    if exchange.question.is_call:
        return as_object(exchange.said.get("error")).get("code") in BEARER_REFUSED
    return exchange.ended is not None and exchange.is_answered and exchange.ended.data["status"] == 401


def _jwt(life: float) -> str:
    claims = base64.urlsafe_b64encode(msgspec.json.encode({"iat": 0, "exp": life})).decode().rstrip("=")
    return f"e30.{claims}.replayed"
