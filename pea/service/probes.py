"""What machines ask: is the process alive, should it get requests, what does it measure, what do problems mean."""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web

from pea.errors import ShuttingDown
from pea.runtime import AgentState
from pea.service import problems
from pea.service.access.gate import caller_of
from pea.service.access.scopes import Scope
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Header, Operation
from pea.service.problems import KINDS, Kind
from pea.service.refusals import NoSuchRoute, NotReady
from pea.service.state import STATE

PLAIN = "text/plain"
_WHY = "with a token of scope read this says why"
OPEN_METRICS = "application/openmetrics-text"


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The service takes tasks. Agents that are out of service are listed with why; the others serve."""

    status: Literal["ready"] = "ready"
    agents: int
    unavailable: dict[str, str]
    started_ms: float


async def healthz(request: web.Request) -> web.Response:
    """Alive, whatever the agents do."""
    del request
    return json_answer(Alive())


async def readyz(request: web.Request) -> web.Response:
    """Whether the service should get requests; 503 with the reasons when it should not."""
    state = request.app[STATE]
    reasons = state.unready()
    told = caller_of(request).may(Scope.READ)  # why an agent failed may name files and hosts
    if reasons:
        error = ShuttingDown if state.stopping else NotReady
        if not told:
            return problems.answer(error("it takes no tasks now", fix=_WHY), request.rel_url.raw_path)
        return problems.answer(error("; ".join(reasons)), request.rel_url.raw_path, reasons=reasons)
    records = list(state.runtime.directory.records)
    out = {r.name: (r.reason if told else None) or r.state.value for r in records if r.state is not AgentState.READY}
    started_s = state.runtime.started_s or 0.0
    return json_answer(Ready(agents=len(records) - len(out), unavailable=out, started_ms=round(started_s * 1e3, 1)))


async def metrics(request: web.Request) -> web.Response:
    """Everything measured, for Prometheus."""
    telemetry = request.app[STATE].runtime.telemetry
    body, content_type = await telemetry.scrape(request.headers.get("Accept"))
    return web.Response(body=body, headers={"Content-Type": content_type})


async def problem(request: web.Request) -> web.Response:
    """What a kind of problem means; where the ``type`` of a problem leads."""
    code = request.match_info["code"]
    kind = KINDS.get(code)
    if kind is None:
        raise NoSuchRoute("there is no such kind of problem", where=request.rel_url.raw_path)
    return json_answer(kind)


ROUTES = (
    Operation(
        method="GET",
        path="/healthz",
        handler=healthz,
        name="healthz",
        tag="operation",
        scope=Scope.PUBLIC,
        summary="Whether the process is alive",
        answers={200: Answer("It is.", Alive)},
        traced=False,
        media=None,
    ),
    Operation(
        method="GET",
        path="/readyz",
        handler=readyz,
        name="readyz",
        tag="operation",
        scope=Scope.PUBLIC,
        summary="Whether the service takes tasks",
        answers={200: Answer("It does.", Ready)},
        traced=False,
        media=None,
    ),
    Operation(
        method="GET",
        path="/metrics",
        handler=metrics,
        name="metrics",
        tag="operation",
        scope=Scope.READ,
        summary="Metrics in Prometheus text, or OpenMetrics with trace exemplars when Accept asks for it",
        answers={200: Answer("All series.", media=PLAIN)},
        traced=False,
        media=None,
    ),
    Operation(
        method="GET",
        path="/problems/{code}",
        handler=problem,
        name="getProblem",
        tag="operation",
        scope=Scope.PUBLIC,
        summary="What a kind of problem means",
        parameters={"code": Header("code", "The last part of a problem's type.", {"enum": sorted(KINDS)})},
        answers={200: Answer("The kind of problem.", Kind)},
        problems=(404,),
    ),
)
