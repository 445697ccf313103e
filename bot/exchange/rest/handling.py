"""What a fault can do with a request over REST."""

from collections.abc import Callable
from functools import partial

import attrs
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.errors import VenueError
from bot.exchange.faults.garbling import GARBLES, GATEWAY_PAGE, How
from bot.exchange.faults.handling import Handling, Words
from bot.exchange.stamps import Stamps
from bot.exchange.transport.http import HTML, Answer, Mishap, Request, Then, refusal


@attrs.frozen
class RequestHandling(Handling[Answer]):
    """One request. ``serve`` answers it as received at a time in ms, which takes ``processing`` seconds."""

    request: Request
    serve: Callable[[Request, int], Answer]
    processing: float
    stamps: Stamps
    agenda: Agenda

    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def pass_on(self) -> Answer:
        received_ms = self.stamps.now_ms()
        if self.processing:
            await trio.sleep(self.processing)
        return self.serve(self.request, received_ms)

    def send_on(self, late: float) -> None:
        self.agenda.add(trio.current_time() + late, self._arrive)

    def look_back(self, seconds: float) -> None:
        self.request.visit.as_of_ms = self.stamps.now_ms() - round(1000 * seconds)

    async def say_nothing(self, cut_after: float | None) -> Answer:
        """Without an end of ours the connection stays until its client leaves, or idles for too long."""
        if cut_after is None:
            return Mishap(0, part=0.0, then=Then.SILENCE)
        await trio.sleep(cut_after)
        return Mishap(0, part=0.0, then=Then.CUT)

    def refuse(self, words: Words) -> Answer:
        headers = () if words.retry_after is None else (("retry-after", str(words.retry_after)),)
        if words.code is None:
            return Answer(words.status, GATEWAY_PAGE, headers, HTML)
        answer = refusal(VenueError(words.code, words.message, status=words.status))
        return Answer(answer.status, answer.body, (*answer.headers, *headers))

    def tear(self, answer: Answer, part: float) -> Answer:
        return Mishap.of(answer, part=part, then=Then.CUT)

    def repeat(self, answer: Answer) -> Answer:
        return Mishap.of(answer, copies=2)

    def garble(self, answer: Answer, how: How) -> Answer:
        """The body, if there is one; status and headers are true."""
        if not answer.body:
            return answer
        return Answer(answer.status, GARBLES[how](answer.body), answer.headers, answer.content_type)

    def _arrive(self) -> None:
        self.agenda.add(trio.current_time() + self.processing, partial(self._finish, self.stamps.now_ms()))

    def _finish(self, received_ms: int) -> None:
        self.serve(self.request, received_ms)
