"""A TCP connection seen from above: both ends, what travelled between them, and how it may be cut."""

import enum
from collections.abc import Callable
from math import nan

from bot.simulation.address import Address
from bot.simulation.endpoint import Backlog, Endpoint, Phase
from bot.simulation.path import Duplex, Path
from bot.simulation.pipe import Ending, Kind, Packet, Pipe
from bot.simulation.timeline import Timeline


class State(enum.Enum):
    """What has become of a connection."""

    OPENING = "opening"
    OPEN = "open"
    REFUSED = "refused"
    ABANDONED = "abandoned"  # the client gave up before there was an answer
    CLOSED = "closed"  # both programs have closed their ends
    RESET = "reset"


class Connection(Duplex[Pipe]):
    """One connection, or one attempt. ``up`` and ``down`` count its bytes and can be blocked for themselves."""

    def __init__(
        self,
        timeline: Timeline,
        link: Duplex[Path],
        local: Address,
        remote: Address,
        window: int,
        *,
        listener: Callable[[], Backlog | None],
        changed: Callable[["Connection"], None],
    ) -> None:
        super().__init__(up=Pipe(timeline, link.up, self.cut), down=Pipe(timeline, link.down, self.cut))
        self.state = State.OPENING
        self.dialed_at = timeline.now()
        """When the client asked for it, in seconds of trio's clock."""
        self.opened_at = nan
        """When the client heard that it is open."""
        self.ended_at = nan
        """When it became refused, abandoned, closed or reset."""
        self.client = Endpoint(Phase.SYN_SENT, local, remote, self.up, window, changed=self._look)
        self.server = Endpoint(
            Phase.LISTEN, remote, local, self.down, window, changed=self._look, listener=listener
        )
        self.up.lead_to(self.server.receive)
        self.down.lead_to(self.client.receive)
        self._timeline = timeline
        self._changed = changed

    def __repr__(self) -> str:
        return (
            f"<Connection {self.client.local} → {self.server.local} {self.state.value},"
            f" {self.up.delivered} bytes up, {self.down.delivered} down>"
        )

    def cut(self, ending: Ending = Ending.RST) -> None:
        """End the connection from outside, at once at both ends. What is on its way is lost.

        After a reset whoever reads or writes gets ECONNRESET. After FIN readers get what was delivered and then the
        end, and writers succeed until the answer to what they wrote, a reset, has come back.
        """
        for end in (self.client, self.server):
            # Only an established end can hear a FIN.
            end.receive(Packet(ending.value if end.phase is Phase.ESTABLISHED else Kind.RST))

    def _look(self) -> None:
        state = self._judge()
        if state is not self.state:
            self.state = state
            if state is State.OPEN:
                self.opened_at = self._timeline.now()
            else:
                self.ended_at = self._timeline.now()
            self._changed(self)

    def _judge(self) -> State:
        if self.state is State.OPENING:
            if self.client.released:
                return State.ABANDONED
            return {Phase.ESTABLISHED: State.OPEN, Phase.CLOSED: State.REFUSED}.get(
                self.client.phase, self.state
            )
        if self.state is State.OPEN:
            if self.client.was_reset or self.server.was_reset:
                return State.RESET
            if self.client.released and self.server.released:
                return State.CLOSED
        return self.state
