"""How a task waits for a virtual socket to become readable or writable."""

import outcome
import trio


class Readiness:
    """One thing that one task may wait for, as with `trio.lowlevel.wait_readable` on a real socket."""

    def __init__(self) -> None:
        self._waiter: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Sleep until `wake`.

        Raises:
            trio.BusyResourceError: another task waits already.
            trio.ClosedResourceError: `close` was called meanwhile.
        """
        if self._waiter is not None:
            await trio.lowlevel.checkpoint()
            raise trio.BusyResourceError("another task is already reading / writing this socket")
        self._waiter = trio.lowlevel.current_task()

        def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._waiter = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def wake(self) -> None:
        """Let the waiter, if there is one, look again."""
        self._reschedule(outcome.Value(None))

    def close(self) -> None:
        """Tell the waiter, if there is one, that its own side has closed the socket."""
        self._reschedule(outcome.Error(trio.ClosedResourceError("another task closed this socket")))

    def _reschedule(self, result: "outcome.Outcome[None]") -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            trio.lowlevel.reschedule(waiter, result)
