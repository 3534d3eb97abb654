"""The route of the dashboard: overview, system, agents, tasks, alerts, recommendations and charts at once."""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web

from pea.service.access.scopes import Scope
from pea.service.dashboard_board import Board
from pea.service.dashboard_json import Dashboard
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation
from pea.service.query import read_query

BOARD: web.AppKey[Board] = web.AppKey("board", Board)

WindowName = Literal["15m", "1h", "6h", "24h"]


class DashboardQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far back the charts go; every other figure is of the last five minutes."""

    window: WindowName = "15m"


async def show(request: web.Request) -> web.Response:
    """The dashboard as it stands."""
    query = read_query(request, DashboardQuery)
    return json_answer(await request.app[BOARD].collect(query.window))


ROUTES = (
    Operation(
        method="GET",
        path="/v1/dashboard",
        handler=show,
        name="getDashboard",
        tag="dashboard",
        scope=Scope.READ,
        summary="Everything that the live page shows",
        answers={200: Answer("The dashboard.", Dashboard)},
        query=DashboardQuery,
        traced=False,
    ),
)
