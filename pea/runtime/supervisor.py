"""Agents' lives: started side by side, watched, started again with growing pauses when they fail, given up visibly.

Each replica lives by itself. What failed is stopped and started again on the same instance; after ``runtime.restarts``
attempts within ``runtime.restart_window`` it is abandoned: a state of its own, a span with an event, a line in the log,
and a metric that an alert can watch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from opentelemetry.trace import Status, StatusCode

from pea.config import RuntimeSettings
from pea.errors import PeaError, said
from pea.runtime.agent import Agent
from pea.runtime.context import Context
from pea.runtime.cut_off import being_cancelled, cut_off
from pea.runtime.directory import AgentState, Directory
from pea.runtime.dispatch import Dispatcher
from pea.runtime.retry import backoff_s
from pea.telemetry import Tracer, get_logger, names

HEALTH_TIMEOUT_S = 1.0
STOP_TIMEOUT_S = 5.0

log = get_logger("pea.runtime")

Life = tuple[str, int]  # an agent's name and the number of its replica, from 1


class Restarts:
    """When one replica may be started again: so many times within a window, after growing pauses."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._most = settings.restarts
        self._window_s = float(settings.restart_window)
        self._base_s, self._cap_s = float(settings.restart_base), float(settings.restart_cap)
        self._times: deque[float] = deque()
        self.count = 0

    def next_pause_s(self, now: float) -> float | None:
        """Seconds to wait before the next attempt, which is counted; None when it is to be given up."""
        while self._times and now - self._times[0] >= self._window_s:
            self._times.popleft()
        if len(self._times) >= self._most:
            return None
        self._times.append(now)
        self.count += 1
        return backoff_s(len(self._times), self._base_s, self._cap_s)


class Ailment(msgspec.Struct):
    """How many health checks in a row an agent did not answer."""

    missed: int = 0


class Supervisor:
    """Starts, watches, restarts and stops the agents of one directory. ``clock`` counts seconds."""

    def __init__(
        self,
        directory: Directory,
        dispatcher: Dispatcher,
        tracer: Tracer,
        settings: RuntimeSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._dispatcher = dispatcher
        self._tracer = tracer
        self._settings = settings
        self._clock = clock
        self._restarts: dict[Life, Restarts] = {}
        self._ailments: dict[Life, Ailment] = {}
        self._reviving: dict[Life, asyncio.Task[None]] = {}
        self._begun: dict[Life, None] = {}  # whose `start` was called
        self._watching: asyncio.Task[None] | None = None

    async def start(self, agents: Iterable[str]) -> None:
        """Start all replicas of these agents side by side; those that fail are started again, in the background."""
        lives = [(name, number) for name in agents for number in range(1, self._directory.record(name).replicas + 1)]
        await asyncio.gather(*(self._start(life) for life in lives))
        for life in lives:
            if self._directory.reason(*life) is not None:
                self._revive(life)
        if self._settings.health_interval:
            self._watching = asyncio.create_task(self._watch(), name="pea-supervisor")

    async def stop(self, grace_s: float) -> None:
        """Stop watching, then all agents that were started, side by side: what failed may hold something as well."""
        watchers = [*self._reviving.values(), *([self._watching] if self._watching else [])]
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for record in self._directory.records.where(state=AgentState.READY):
            self._directory.change(record.name, AgentState.STOPPED)
        self._dispatcher.forget_routes()
        agents = [(name, self._directory.agents(name)[number - 1]) for name, number in self._begun]
        await asyncio.gather(*(_stop(name, agent, grace_s) for name, agent in agents))

    async def check(self) -> None:
        """Ask every replica that is in service how it is; one that did not answer so many times is started anew."""
        lives = [
            (record.name, number)
            for record in self._directory.records.where(state=AgentState.READY)
            for number in range(1, record.replicas + 1)
            if self._directory.reason(record.name, number) is None
        ]
        answers = await asyncio.gather(*(self._answers(life) for life in lives))
        for life, answered in zip(lives, answers, strict=True):
            ailment = self._ailments.setdefault(life, Ailment())
            ailment.missed = 0 if answered else ailment.missed + 1
            if ailment.missed >= self._settings.health_failures:
                ailment.missed = 0
                self._failed(life, f"did not answer {self._settings.health_failures} health checks in a row")
                self._revive(life)

    def restarts(self, name: str) -> int:
        """How often replicas of this agent were started again."""
        return sum(restarts.count for (agent, _), restarts in self._restarts.items() if agent == name)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(float(self._settings.health_interval))
            await self.check()

    async def _answers(self, life: Life) -> bool:
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                await self._directory.agents(life[0])[life[1] - 1].health()
        except asyncio.CancelledError:
            if being_cancelled():
                raise
            return False
        except (Exception, SystemExit):  # noqa: BLE001 - an agent that cannot say how it is, is not well
            return False
        return True

    def _revive(self, life: Life) -> None:
        """Begin to start a failed replica again, unless that is under way."""
        if life not in self._reviving and self._settings.restarts:
            reviving = asyncio.create_task(self._revived(life), name=f"pea-revive-{life[0]}-{life[1]}")
            self._reviving[life] = reviving
            reviving.add_done_callback(lambda _: self._reviving.pop(life, None))

    async def _revived(self, life: Life) -> None:
        name, number = life
        restarts = self._restarts.setdefault(life, Restarts(self._settings))
        agent = self._directory.agents(name)[number - 1]
        while True:
            pause_s = restarts.next_pause_s(self._clock())
            if pause_s is None:
                self._abandon(life)
                return
            await asyncio.sleep(pause_s)
            await _stop(name, agent, STOP_TIMEOUT_S)
            if await self._start(life, attempt=restarts.count + 1):
                log.info("agent is back", agent=name, replica=number, restarts=restarts.count)
                return

    def _abandon(self, life: Life) -> None:
        name, number = life
        why = f"given up after {self._settings.restarts} restarts: {self._directory.reason(*life)}"
        self._directory.down(name, number, why, state=AgentState.ABANDONED)
        self._dispatcher.forget_routes()
        with self._tracer.span(f"{names.SPAN_AGENT_START} {name}", {names.GEN_AI_AGENT_NAME: name}) as span:
            span.add_event(names.EVENT_AGENT_ABANDONED, {names.GEN_AI_AGENT_NAME: name, names.PEA_REPLICA: number})
            span.set_status(Status(StatusCode.ERROR, why))
        log.error("agent is given up", agent=name, replica=number, reason=why)

    async def _start(self, life: Life, attempt: int = 1) -> bool:
        """Start one replica; whether it is in service now."""
        name, number = life
        self._begun[life] = None
        limit = float(self._settings.start_timeout)
        began = time.perf_counter()
        reason = None
        about: dict[str, Any] = {names.GEN_AI_AGENT_NAME: name, names.PEA_ATTEMPT: attempt}
        try:
            with self._tracer.span(f"{names.SPAN_AGENT_START} {name}", about):
                ctx = Context(self._dispatcher, name, "start", asyncio.get_running_loop().time() + limit)
                async with asyncio.timeout(limit):
                    await self._directory.agents(name)[number - 1].start(ctx)
        except TimeoutError:
            reason = f"did not start within {limit:g} s"
        except asyncio.CancelledError:
            if being_cancelled():
                raise
            reason = cut_off(name).what
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an agent raises, the others start
            reason = str(error) if isinstance(error, PeaError) else f"{type(error).__name__}: {said(error)}"
        if reason is None:
            self._directory.up(name, number, start_s=time.perf_counter() - began)
            self._dispatcher.forget_routes()
            return True
        self._failed(life, reason, start_s=time.perf_counter() - began)
        return False

    def _failed(self, life: Life, reason: str, start_s: float | None = None) -> None:
        self._directory.down(*life, reason, start_s=start_s)
        self._dispatcher.forget_routes()
        log.error("agent failed", agent=life[0], replica=life[1], reason=reason)


async def _stop(name: str, agent: Agent, grace_s: float) -> None:
    try:
        async with asyncio.timeout(grace_s):
            await agent.stop()
    except asyncio.CancelledError:
        if being_cancelled():
            raise
        log.warning("agent did not stop cleanly", agent=name, reason=cut_off(name).what)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one that cannot stop must not keep the others from it
        log.warning("agent did not stop cleanly", agent=name, reason=f"{type(error).__name__}: {said(error)}")
