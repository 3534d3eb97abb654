"""The fleet: agents loaded and started side by side, calls and tasks while it runs, an orderly stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from pea.config import Settings, load
from pea.errors import ConfigError, PeaError, did_you_mean, said, sayable
from pea.runtime import discovery
from pea.runtime.agent import Agent
from pea.runtime.agreement.observe import observe_agreement
from pea.runtime.batch_metrics import observe_batches
from pea.runtime.cache_metrics import observe_caches
from pea.runtime.cut_off import being_cancelled, cut_off
from pea.runtime.deadline import NEVER
from pea.runtime.directory import AgentRecord, AgentState, Directory
from pea.runtime.dispatch import Dispatcher, Insight
from pea.runtime.journal import Journal, Remembered
from pea.runtime.policy import check_policies
from pea.runtime.policy.observe import observe_policies
from pea.runtime.pressure import Measure, Pressure
from pea.runtime.scheduler import Scheduler
from pea.runtime.supervisor import HEALTH_TIMEOUT_S, Supervisor
from pea.telemetry import Telemetry, get_logger, names
from pea.telemetry.process import ProcessFigures

log = get_logger("pea.runtime")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's health at one moment; ``problem`` is None when all is well, ``check_s`` what asking took."""

    agent: str
    state: AgentState
    problem: str | None
    check_s: float


class Runtime:
    """A running fleet. ``async with Runtime(settings) as runtime: await runtime.call("calendar.agenda")``.

    ``agents`` are instances to run instead of the installed ones; in tests that is all it takes to run one agent for
    real. ``telemetry`` may be shared with a service; without one the runtime makes its own and closes it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        agents: Iterable[Agent] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.settings = load() if settings is None else settings
        self.directory = Directory()
        self.telemetry = Telemetry(self.settings) if telemetry is None else telemetry
        self.started_s: float | None = None
        self._owns_telemetry = telemetry is None
        self.supervisor: Supervisor | None = None
        self.pressure: Pressure | None = None
        self._given = None if agents is None else list(agents)
        self._dispatcher: Dispatcher | None = None
        self._scheduler: Scheduler | None = None
        self.journal: Journal | None = None
        self._restoring: asyncio.Task[None] | None = None
        self.insights: dict[str, Insight] = {"health": self._healths}

    def keep_journal(self, folder: Path) -> None:
        """Have `start` open the journal in this folder, so that the tasks that `Scheduler.accept` takes are not lost.

        To be called on the event loop, before `start`.
        """
        settings, metrics = self.settings.runtime, self.telemetry.metrics

        def committed(seconds: float, items: int) -> None:
            metrics.observe(names.METRIC_JOURNAL_COMMIT_DURATION, seconds)
            metrics.observe(names.METRIC_JOURNAL_COMMIT_ITEMS, items)

        since = time.time() - float(settings.history_age)
        remembered = Remembered(settings.history, settings.history_size, since)
        self.journal = Journal(folder, self.settings.journal, remembered, on_commit=committed)

    @property
    def dispatcher(self) -> Dispatcher:
        """Makes calls; PeaError before `start`."""
        if self._dispatcher is None:
            raise PeaError("the runtime has not been started", fix="use `async with Runtime(...)`")
        return self._dispatcher

    @property
    def scheduler(self) -> Scheduler:
        """Runs tasks; PeaError before `start`."""
        if self._scheduler is None:
            raise PeaError("the runtime has not been started", fix="use `async with Runtime(...)`")
        return self._scheduler

    @property
    def ready(self) -> bool:
        """Whether every agent's start has ended, well or badly."""
        return self.started_s is not None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:  # whatever keeps it from starting, the journal's lock and threads are not left behind
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Load the agents and start them side by side; one that fails is recorded and leaves the others running.

        Raises ConfigError for settings that cannot hold; `close` is due then too, which ``async with`` sees to.
        """
        began = time.perf_counter()
        if self._owns_telemetry:
            self.telemetry.start()
        tracer = self.telemetry.tracer
        self._dispatcher = Dispatcher(self.settings, self.directory, tracer, self.telemetry.provider.get_tracer)
        self._dispatcher.insights = self.insights
        self._scheduler = Scheduler(self.settings.runtime, self.directory, self._dispatcher, tracer)
        with self.telemetry.monitor.excused():  # importing them is what the start is for
            agents = self._load() if self._given is None else self._given
        added = [record for agent in self._with_replicas(agents) if (record := self._add(agent)) is not None]
        if self.settings.runtime.chaos:
            self._put_in_faults()
        self._check_policies()
        self.supervisor = Supervisor(self.directory, self._dispatcher, tracer, self.settings.runtime)
        await self.supervisor.start([record.name for record in added])
        await self._restore()
        self._observe()
        self._watch_memory()
        self.started_s = time.perf_counter() - began

    async def close(self, grace_s: float | None = None) -> None:
        """Finish or hand back the tasks, stop the agents side by side, flush the telemetry that is its own."""
        grace = float(self.settings.service.grace) if grace_s is None else grace_s
        if self._scheduler is not None:
            await self._scheduler.close(grace)
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.wait([self._restoring])
        if self.journal is not None:
            await self.journal.close()
        if self.pressure is not None:
            await self.pressure.stop()
        if self.supervisor is not None:
            await self.supervisor.stop(grace)
        if self._dispatcher is not None:
            await self._dispatcher.aclose()
        if self._owns_telemetry:
            await self.telemetry.aclose()

    async def call(self, capability: str, /, **arguments: Any) -> Any:
        """Call a capability and return its result, without a task around it; raises what `Context.call` does."""
        return await self.dispatcher.call(capability, arguments, deadline=NEVER)

    async def health(self, name: str) -> Health:
        """Ask one agent how it is; UnknownAgent when there is none of this name."""
        record = self.directory.record(name)
        began = time.perf_counter()
        problem = record.reason
        if record.state is AgentState.READY:
            try:
                async with asyncio.timeout(HEALTH_TIMEOUT_S):
                    problem = await self.directory.agent(name).health()
            except TimeoutError:
                problem = f"its health check did not answer within {HEALTH_TIMEOUT_S:g} s"
            except asyncio.CancelledError:
                if being_cancelled():
                    raise
                problem = f"its health check failed: {cut_off(name).what}"
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an agent that cannot say how it is, is not well
                problem = f"its health check raised {type(error).__name__}: {said(error)}"
        problem = None if problem is None else sayable(str(problem))
        return Health(agent=name, state=record.state, problem=problem, check_s=time.perf_counter() - began)

    async def _healths(self) -> list[Health]:
        return list(await asyncio.gather(*(self.health(record.name) for record in self.directory.records)))

    def _put_in_faults(self) -> None:
        from pea.runtime.chaos import Chaos, parse_fault

        known = [record.name for record in self.directory.records]
        faults = [parse_fault(text, known) for text in self.settings.runtime.chaos]
        self.dispatcher.infect = Chaos(faults).infect
        log.warning("faults are put in on purpose", chaos=list(self.settings.runtime.chaos))

    async def _restore(self) -> None:
        """Take in the tasks of the journal; one that cannot be opened now is taken in later."""
        if self.journal is None:
            return
        durable = self.scheduler.keep(self.journal)
        self._restoring = asyncio.create_task(durable.restore(), name="pea-restore")
        await self.journal.tried()
        if self.journal.ready:
            await asyncio.shield(self._restoring)

    def _load(self) -> list[Agent]:
        agents, unloadable = discovery.load(discovery.installed(self.settings.runtime.agents))
        for missing in unloadable:
            self.directory.add_failed(missing.name, missing.type, missing.reason)
            log.error("agent could not be loaded", agent=missing.name, reason=missing.reason)
        return [*agents, *discovery.mounts(self.settings)]

    def _add(self, agent: Agent) -> AgentRecord | None:
        """The record of an agent that is new; None for one more replica, or one that cannot be used."""
        try:
            if agent.name in self.settings.runtime.replicas and agent.name in self.directory.records:
                self.directory.add_replica(agent)
                return None
            return self.directory.add(agent)
        except PeaError as error:
            self.directory.add_failed(agent.name, error.where or "", error.what)
            log.error("agent cannot be used", agent=agent.name, reason=str(error))
            return None

    def _with_replicas(self, agents: Iterable[Agent]) -> list[Agent]:
        """The agents, and further instances of those that are to have replicas and were not given with them."""
        wanted, known = self.settings.runtime.replicas, list(agents)
        given = Counter(agent.name for agent in known)
        for name in wanted:
            if name not in given and name not in self.directory.records:
                raise ConfigError(
                    f"no agent is called {name!r}", where="runtime.replicas", fix=did_you_mean(name, given)
                )
        more = [type(one)() for one in known for _ in range(given[one.name], wanted.get(one.name, 1))]
        return known + more

    def _check_policies(self) -> None:
        records = list(self.directory.records)
        unloaded = any(not record.capabilities for record in records if record.state is AgentState.FAILED)
        known = [record.name for record in records]
        check_policies(self.settings.runtime, self.directory.capabilities, known, unloaded=unloaded)

    def _watch_memory(self) -> None:
        """Have caches, then histories, then admission give way when memory gets short."""
        settings, telemetry = self.settings.runtime.pressure, self.telemetry
        pressure = self.pressure = Pressure(settings, ProcessFigures().memory_bytes, telemetry.tracer)
        pressure.register(Measure.CACHES, self.dispatcher.caches.squeeze)
        pressure.register(Measure.HISTORIES, self.scheduler.history.squeeze)
        pressure.register(Measure.HISTORIES, telemetry.recent.squeeze)
        pressure.register(Measure.ADMISSION, self.scheduler.admission.squeeze)
        telemetry.gauge(names.METRIC_PRESSURE_STEPS, lambda: [({}, pressure.gauge.steps)])
        telemetry.gauge(
            names.METRIC_PRESSURE_SHARE,
            lambda: [({names.PEA_PRESSURE_MEASURE: one.name.lower()}, pressure.share(one)) for one in Measure],
        )
        pressure.start()

    def _observe(self) -> None:
        """What is read when metrics are collected rather than folded from spans."""
        gauge = self.telemetry.gauge
        scheduler, records = self.scheduler, self.directory.records
        caches = self.dispatcher.caches
        gauge(
            names.METRIC_AGENT_MEMORY,
            lambda: [({names.GEN_AI_AGENT_NAME: owner}, size) for owner, size in caches.bytes_by_owner().items()],
        )
        observe_caches(gauge, caches)
        if self.journal is not None:
            journal, outcomes = self.journal, scheduler.durable.outcomes if scheduler.durable is not None else {}
            gauge(names.METRIC_JOURNAL_PENDING, lambda: [({}, journal.pending_bytes)])
            gauge(names.METRIC_JOURNAL_USAGE, lambda: [({}, journal.status.used_bytes)])
            gauge(names.METRIC_JOURNAL_FAILURES, lambda: [({}, journal.status.failures)])
            gauge(
                names.METRIC_JOURNAL_TASKS,
                lambda: [({names.PEA_JOURNAL_OUTCOME: outcome}, count) for outcome, count in outcomes.items()],
            )
        observe_policies(gauge, self.dispatcher, scheduler.admission, self.supervisor, records)
        observe_agreement(gauge, self.dispatcher.panels.records)
        observe_batches(gauge, self.directory)
        pool = self.dispatcher.http
        gauge(
            names.METRIC_HTTP_CONNECTIONS,
            lambda: [({names.PEA_POOL_OUTCOME: outcome}, count) for outcome, count in pool.counts.items()],
        )
        gauge(names.METRIC_TASK_QUEUED, lambda: [({}, scheduler.queued)])
        gauge(names.METRIC_TASK_ACTIVE, lambda: [({}, scheduler.running)])
        gauge(
            names.METRIC_AGENT_STATE,
            lambda: [
                ({names.GEN_AI_AGENT_NAME: record.name, names.PEA_AGENT_STATE: state.value}, record.state is state)
                for record in records
                for state in AgentState
            ],
        )
