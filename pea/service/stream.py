"""The dashboard as server-sent events: everything once, then what changes; resumable, one collection for all readers.

The dashboard is cut into parts (``overview``, ``agent/calendar``, …), and each part carries the number of the round in
which it last changed. A reader that comes back with Last-Event-ID gets the parts that changed since; after a restart
of the service, or without one, it gets all of them as a snapshot.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Iterator

import msgspec
from aiohttp import web

from pea.errors import Overloaded
from pea.service.access.scopes import Scope
from pea.service.dashboard import DashboardQuery
from pea.service.dashboard_board import Board
from pea.service.dashboard_json import Dashboard
from pea.service.operation import EVENT_STREAM, Answer, Header, Operation
from pea.service.query import read_query
from pea.service.state import MAX_STREAMS, STATE, State
from pea.telemetry import get_logger

EVERY_S = 1.0
RETRY_MS = 1_000

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)
_encode = msgspec.json.Encoder().encode

log = get_logger("pea.service")


class Part(msgspec.Struct, frozen=True):
    """A piece of the dashboard as JSON, and the round in which it last changed; null when it is gone."""

    round: int
    body: bytes


class Hub:
    """Collects the dashboard while somebody reads, and wakes the readers after each round."""

    def __init__(self, board: Board, every_s: float = EVERY_S) -> None:
        self.boot = secrets.token_hex(4)
        self.round = 0
        self.every_s = every_s
        self._board = board
        self._parts: dict[str, Part] = {}
        self._windows: Counter[str] = Counter()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def enter(self, window: str) -> None:
        """A reader comes, who wants the charts of ``window``."""
        self._windows[window] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="pea-dashboard")

    def leave(self, window: str) -> None:
        """A reader goes; with the last one the collecting ends."""
        self._windows[window] -= 1
        if not +self._windows and self._task is not None:
            self._task.cancel()
            self._task = None

    async def next_round(self) -> None:
        """Wait until the dashboard has been collected again."""
        await self._woken.wait()

    def since(self, number: int, window: str) -> dict[str, msgspec.Raw]:
        """The parts that changed after round ``number``; of the charts those of ``window``."""
        return {
            "charts" if key.startswith("charts/") else key: msgspec.Raw(part.body)
            for key, part in self._parts.items()
            if part.round > number and (not key.startswith("charts/") or key == f"charts/{window}")
        }

    def update(self, parts: dict[str, bytes]) -> None:
        """Take the parts of a new round."""
        self.round += 1
        for key, body in parts.items():
            known = self._parts.get(key)
            if known is None or known.body != body:
                self._parts[key] = Part(self.round, body)
        for key, part in list(self._parts.items()):
            if key not in parts and not key.startswith("charts/") and part.body != b"null":
                self._parts[key] = Part(self.round, b"null")
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    async def _run(self) -> None:
        while True:
            try:
                dashboard = await self._board.collect()
                parts = dict(_parts(dashboard))
                for window in +self._windows:
                    parts[f"charts/{window}"] = _encode(self._board.charts(window))
                self.update(parts)
            except Exception:  # one bad round must not end the stream for every reader
                log.exception("the dashboard could not be collected")  # the next round may succeed
            await asyncio.sleep(self.every_s)


def _parts(dashboard: Dashboard) -> Iterator[tuple[str, bytes]]:
    yield "time", _encode({name: getattr(dashboard, name) for name in ("at_ms", "started_ms", "collected_ms")})
    for name in ("overview", "system", "tasks", "alerts", "recommendations"):
        yield name, _encode(getattr(dashboard, name))
    for row in dashboard.agents:
        yield f"agent/{row.name}", _encode(row)


HUB: web.AppKey[Hub] = web.AppKey("hub", Hub)


async def stream(request: web.Request) -> web.StreamResponse:
    """The dashboard from now on, until the reader goes or the service stops."""
    window = read_query(request, DashboardQuery).window
    state, hub = request.app[STATE], request.app[HUB]
    if state.streams >= MAX_STREAMS:
        raise Overloaded(f"{MAX_STREAMS} event streams are open", retry_after_s=1.0, fix="poll /v1/dashboard instead")
    response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
    state.streams += 1
    hub.enter(window)
    try:
        await response.prepare(request)
        await response.write(b"retry: %d\n\n" % RETRY_MS)
        await _send(response, hub, state, window, _seen(request, hub))
        await response.write_eof()
    except ConnectionError:
        log.debug("the reader of the dashboard went away")
    finally:
        hub.leave(window)
        state.streams -= 1
    return response


async def _send(response: web.StreamResponse, hub: Hub, state: State, window: str, seen: int) -> None:
    whole = seen == 0
    while not state.stopping:
        changed = hub.since(seen, window)
        if changed and hub.round:
            event = b"snapshot" if whole else b"delta"
            seen, whole = hub.round, False
            frame = (event, f"{hub.boot}-{seen}".encode(), _encode(changed))
            await response.write(b"event: %b\nid: %b\ndata: %b\n\n" % frame)
        try:
            async with asyncio.timeout(state.heartbeat_s):
                await hub.next_round()
        except TimeoutError:
            await response.write(b": still here\n\n")


def _seen(request: web.Request, hub: Hub) -> int:
    """The round that the reader saw last; 0 when that was of another life of the service."""
    match = _ID.fullmatch(request.headers.get("Last-Event-ID", ""))
    if match is None or match[1] != hub.boot:
        return 0
    return min(int(match[2]), hub.round)


ROUTES = (
    Operation(
        method="GET",
        path="/v1/stream",
        handler=stream,
        name="streamDashboard",
        tag="dashboard",
        scope=Scope.READ,
        summary="Follow the dashboard",
        description=(
            "Server-sent events: `snapshot` has every part of the dashboard by name, `delta` those that changed "
            "(null: gone). `id` resumes."
        ),
        headers=(Header("Last-Event-ID", "Send only what changed after this event.", {"type": "string"}),),
        answers={200: Answer("The events.", dict[str, msgspec.Raw], media=EVENT_STREAM)},
        query=DashboardQuery,
        problems=(429,),
        traced=False,
        media=EVENT_STREAM,
    ),
)
