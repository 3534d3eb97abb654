"""The objectives of the service: counted beside the alerts, and shown with what is left of their budgets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from pea.runtime import Runtime
from pea.runtime.task import Priority, timestamp
from pea.service.access.scopes import Scope
from pea.service.alerts_detector import DETECTOR, detector_of
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation
from pea.service.state import STATE

if TYPE_CHECKING:
    from pea.watch.alert import Alert
    from pea.watch.sla import Shed, Sla
    from pea.watch.watcher import Watcher


class StandingJson(msgspec.Struct, frozen=True, kw_only=True):
    """One objective. ``budget_left`` is a share of the whole budget, ``burn`` the pace of the last hour (1: exactly).

    ``met`` is null while too little is known; budgets are null for what has none.
    """

    name: str
    objective: str
    now: str
    met: bool | None
    events: int | None
    bad: int | None
    budget_left: float | None
    burn: float | None


class IncidentJson(msgspec.Struct, frozen=True):
    """A stretch in which a grave alert fired or the service was lost; ``until`` is null while it lasts."""

    since: str
    until: str | None
    what: str


class SlaJson(msgspec.Struct, frozen=True, kw_only=True):
    """All objectives over the period; ``shed`` is the level of load shedding asked for: 1 low priorities, 2 normal."""

    period_s: float
    objectives: list[StandingJson]
    incidents: list[IncidentJson]
    shed: Annotated[int, Meta(ge=0, le=2)]
    shed_reason: str


class Objectives:
    """Counts what the objectives are judged by, from the opening of the detector to its close."""

    def __init__(self, runtime: Runtime) -> None:
        self.sla: Sla | None = None
        self._runtime = runtime
        self._settings = runtime.settings
        self._counting: asyncio.Task[None] | None = None

    def open(self, watcher: Watcher) -> None:
        """Begin to count with what the watcher sees; what was counted before is read from the state folder."""
        from pea.watch.sla import Sla

        state = self._settings.state
        self.sla = Sla(self._settings.sla, time.time(), Path(state) / "objectives.json" if state else None)
        self._counting = asyncio.create_task(self._count(watcher, self.sla), name="pea-objectives")

    async def close(self) -> None:
        """Write that the service ends because it was asked to."""
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.wait([self._counting])
        if self.sla is not None:
            await asyncio.to_thread(self.sla.ledger.save, stopped=True)

    def enforce(self, shed: Shed) -> None:
        """Have admission refuse what is to be shed while tasks wait."""
        if self._runtime.ready:
            self._runtime.scheduler.admission.shed_below = Priority(shed.level) if shed.level else None

    async def _count(self, watcher: Watcher, sla: Sla) -> None:
        while True:
            sla.take(watcher.scene.windows, time.time(), watcher.book.alerts())
            self.enforce(sla.shed)
            await asyncio.to_thread(sla.ledger.save)
            await asyncio.sleep(float(self._settings.watch.interval))


async def standing(request: web.Request) -> web.Response:
    """How every objective stands."""
    watcher = detector_of(request)
    sla = request.app[OBJECTIVES].sla
    if sla is None:  # the detector opens both, one after the other
        return json_answer(SlaJson(period_s=0, objectives=[], incidents=[], shed=0, shed_reason=""))
    return json_answer(await standings(request.app[STATE].runtime, watcher, sla))


async def standings(runtime: Runtime, watcher: Watcher, sla: Sla) -> SlaJson:
    """Every objective as it stands now."""
    from pea.watch.sla import incidents

    now_s = time.time()
    alerts = _fired(watcher)
    slowest, agents = await _slowest_check(runtime)
    found = sla.standings(now_s, alerts, slowest, agents)
    held = incidents(alerts, sla.ledger.gaps, now_s - float(sla.settings.period))
    return SlaJson(
        period_s=float(sla.settings.period),
        objectives=[StandingJson(**msgspec.structs.asdict(one)) for one in found],
        incidents=[
            IncidentJson(timestamp(one.from_s), None if one.until_s is None else timestamp(one.until_s), one.what)
            for one in held[::-1][:100]
        ],
        shed=sla.shed.level,
        shed_reason=sla.shed.reason,
    )


def _fired(watcher: Watcher) -> list[Alert]:
    """Every alert that fired and is remembered, each occurrence once."""
    found = {one.occurrence: one for one in (*watcher.book.history, *watcher.book.alerts()) if one.fired_s is not None}
    return list(found.values())


async def _slowest_check(runtime: Runtime) -> tuple[float | None, int]:
    checks: Iterable[str] = [record.name for record in runtime.directory.records]
    took = [(await runtime.health(name)).check_s for name in checks]
    return max(took, default=None), len(took)


OBJECTIVES: web.AppKey[Objectives] = web.AppKey("objectives", Objectives)


def watch_objectives(app: web.Application, runtime: Runtime) -> None:
    """Have the objectives counted while the detector runs."""
    objectives = app[OBJECTIVES] = Objectives(runtime)
    app[DETECTOR].on_open.append(objectives.open)
    app[DETECTOR].on_close.append(objectives.close)
    runtime.insights["sla"] = lambda: _insight(app)


async def _insight(app: web.Application) -> SlaJson | None:
    """What the route answers, for agents; None before anything is counted."""
    watcher, sla = app[DETECTOR].watcher, app[OBJECTIVES].sla
    return None if watcher is None or sla is None else await standings(app[STATE].runtime, watcher, sla)


ROUTES = (
    Operation(
        method="GET",
        path="/v1/sla",
        handler=standing,
        name="readSla",
        tag="alerts",
        scope=Scope.READ,
        summary="How the service-level objectives stand: met, budget left, burn, incidents",
        answers={200: Answer("The objectives.", SlaJson)},
    ),
)
