"""What the handlers of one service share: the runtime, and whether it is ready, serving or stopping."""

from __future__ import annotations

from aiohttp import web

from pea.runtime import AgentState, Runtime
from pea.runtime.scheduler import Scheduler
from pea.service.refusals import NotReady

MAX_STREAMS = 256  # event streams open at once; each holds a connection for as long as its task lives
START_POLL_S = 1
HEARTBEAT_S = 15.0  # proxies cut connections that are silent for half a minute or more


class State:
    """The service as its handlers see it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.stopping = False
        self.streams = 0
        self.heartbeat_s = HEARTBEAT_S

    def scheduler(self) -> Scheduler:
        """The runtime's tasks; NotReady while its agents start."""
        if not self.runtime.ready:
            raise NotReady("the agents are still starting", fix="try again", headers={"Retry-After": str(START_POLL_S)})
        return self.runtime.scheduler

    def unready(self) -> tuple[str, ...]:
        """Why the service should get no requests, in words; nothing when it should."""
        if self.stopping:
            return ("it is shutting down",)
        records = list(self.runtime.directory.records)
        if not self.runtime.ready:
            starting = [record.name for record in records if record.state is AgentState.STARTING]
            return tuple(f"agent {name!r} is starting" for name in starting) or ("the agents are being loaded",)
        if any(record.state is AgentState.READY for record in records):
            return ()
        failed = (f"agent {record.name!r} is {record.state}: {record.reason}" for record in records)
        return tuple(failed) or ("no agent is installed",)


STATE: web.AppKey[State] = web.AppKey("state", State)
