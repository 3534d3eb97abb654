"""The settings, each with its default: every default of PEA stands here."""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from pea.config.access import AccessSettings
from pea.config.agreement import AgreementSettings
from pea.config.broadcast import BroadcastSettings
from pea.config.connectors import ConnectSettings
from pea.config.http import HttpSettings
from pea.config.llm import LlmSettings
from pea.config.mcp import McpSettings
from pea.config.memory import MemorySettings
from pea.config.policies import Policy
from pea.config.pressure import PressureSettings
from pea.config.units import Bytes, Seconds
from pea.config.workers import WorkerSettings

_LOCALTIME = Path("/etc/localtime")
PINNED_HOUR = time(7, 30)  # what "now" is on a day given by --today without a time of day


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of settings."""


class UserSettings(_Section, frozen=True):
    """Whose assistant this is: what "me", "today" and "here" mean."""

    name: str = ""
    emails: tuple[str, ...] = ()
    timezone: str = ""  # an IANA zone; empty: the machine's own
    country: str = ""  # ISO 3166-1 alpha-2
    home: str = ""  # a city or an airport code; where journeys begin and end


class ServiceSettings(_Section, frozen=True):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    max_body: Bytes = Bytes(1 << 20)
    max_wait: Seconds = Seconds(60.0)  # the longest `Prefer: wait=` that is honoured
    grace: Seconds = Seconds(10.0)  # SIGTERM: running tasks may take this long to end


class RuntimeSettings(_Section, frozen=True):
    """Tasks and calls."""

    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    concurrency_least: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 4  # where tasks slow each other down
    adaptive_concurrency: bool = True
    critical_reserve: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 8  # places beyond `concurrency` for critical tasks
    queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    timeout: Seconds = Seconds(5.0)
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    retry_base: Seconds = Seconds(0.05)
    retry_cap: Seconds = Seconds(1.0)
    start_timeout: Seconds = Seconds(5.0)
    history: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    history_age: Seconds = Seconds(86_400.0)
    history_keep: Seconds = Seconds(60.0)  # a result this fresh outlasts a crowd of others
    history_size: Bytes = Bytes(64 << 20)
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    agents: tuple[str, ...] = ()  # empty: every installed agent
    replicas: dict[str, Annotated[int, msgspec.Meta(ge=1, le=100)]] = {}  # instances behind one agent's name
    restarts: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 5  # of a failed agent within the window; 0: never
    restart_window: Seconds = Seconds(600.0)
    restart_base: Seconds = Seconds(0.5)
    restart_cap: Seconds = Seconds(30.0)
    health_interval: Seconds = Seconds(10.0)  # 0: agents are not watched
    health_failures: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3  # checks in a row without answer
    workers: WorkerSettings = WorkerSettings()
    policies: dict[str, Policy] = {}  # by agent, by capability, or "*"; see pea.config.policies
    agreement: AgreementSettings = AgreementSettings()  # which calls are put to the vote
    pressure: PressureSettings = PressureSettings()  # what gives way when memory gets short
    broadcast: BroadcastSettings = BroadcastSettings()
    http: HttpSettings = HttpSettings()  # the connections behind `ctx.http`
    chaos: tuple[str, ...] = ()  # faults put in on purpose, as `slow:travel=800ms`; see pea.runtime.chaos


class JournalSettings(_Section, frozen=True):
    """Accepted tasks and their steps on disk, in the state folder of a service: what makes a 202 a promise."""

    on: bool = True
    entries: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 10_000  # ended tasks; others are never deleted
    age: Seconds = Seconds(7 * 86_400.0)
    size: Bytes = Bytes(256 << 20)
    waiting: Bytes = Bytes(16 << 20)  # what may wait to be written; further tasks are answered with 503
    step_result: Bytes = Bytes(256 << 10)  # an idempotent step with a larger result is run again instead
    crashes: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3  # a task that ran when so many processes died is failed


class LogSettings(_Section, frozen=True):
    """Structured logs on standard error."""

    format: Literal["auto", "console", "json"] = "auto"  # auto: console on a terminal, JSON elsewhere
    level: Literal["debug", "info", "warning", "error"] = "info"


class TelemetrySettings(_Section, frozen=True):
    """Spans and what is folded from them; the standard OTEL_* variables are honoured beside these."""

    service_name: str = "pea"
    drain_interval: Seconds = Seconds(0.2)
    buffer_spans: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 100_000
    series_per_metric: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    export_queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50_000  # spans waiting for a slow receiver
    metric_interval: Seconds = Seconds(10.0)
    flush_timeout: Seconds = Seconds(5.0)
    recent_traces: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 200
    capture_content: bool = False
    lag_threshold: Seconds = Seconds(0.1)  # a loop blocked longer than this has its stack recorded
    log: LogSettings = LogSettings()


class KeeperSettings(_Section, frozen=True):
    """Which traces are kept once they have ended: all of them, or (``tail``) those that a rule below speaks for."""

    policy: Literal["all", "tail"] = "all"
    errors: bool = True  # tail: keep traces with an error
    slower_than: Seconds = Seconds(0.0)  # tail: keep traces that took longer; 0: no fixed bound
    slow_quantile: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.95  # tail: … than this of their root's recent; 0: off
    per_second: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 1.0  # tail: of the others, so many a second at random
    wait: Seconds = Seconds(60.0)  # a trace whose root has not ended by then is decided as it stands
    linger: Seconds = Seconds(2.0)  # tail: how long a trace begun elsewhere may still grow after its part here ended
    traces: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    spans: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000  # per trace; more are counted, not kept
    size: Bytes = Bytes(64 << 20)
    passed_traces: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1_000  # not kept, but a pin can fetch them back
    passed_size: Bytes = Bytes(16 << 20)


class StoreSettings(_Section, frozen=True):
    """The embedded store of spans and series, in the state folder."""

    size: Bytes = Bytes(1 << 30)
    age: Seconds = Seconds(7 * 86_400.0)
    waiting: Bytes = Bytes(32 << 20)  # what the writer may have before it; more is dropped and counted
    indexed: tuple[str, ...] = (
        "error.type",
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "gen_ai.request.model",
        "gen_ai.tool.name",
        "http.response.status_code",
        "http.route",
        "pea.capability",
        "pea.task.id",
        "session.id",
        "user.id",
    )
    series: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500
    ingest_body: Bytes = Bytes(8 << 20)
    ingest_inflated: Bytes = Bytes(32 << 20)
    ingest_spans: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50_000  # in one request
    ingest_waiting: Bytes = Bytes(64 << 20)  # bodies being read in; more are answered with 429


class L1Settings(_Section, frozen=True):
    """Each agent's own memory: least recently used leaves first."""

    on: bool = True
    size: Bytes = Bytes(50_000_000)
    entries: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 10_000
    age: Seconds = Seconds(300.0)
    policy: Literal["lru", "fifo", "ttl"] = "lru"


class L2Settings(_Section, frozen=True):
    """The process's memory, shared by all agents."""

    on: bool = True
    size: Bytes = Bytes(200_000_000)
    entries: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    age: Seconds = Seconds(900.0)
    policy: Literal["adaptive", "clock", "tinylfu", "tinylfu-wide"] = "adaptive"


class L3Settings(_Section, frozen=True):
    """Redis, shared by the processes of a fleet; off without a URL. Its size and LRU policy are the server's."""

    url: str = ""  # redis://host:6379/0
    prefix: str = "pea"
    age: Seconds = Seconds(3_600.0)
    budget: Seconds = Seconds(0.005)  # what a lookup may take before it counts as a miss
    lease: Seconds = Seconds(5.0)  # how long other processes leave a computation to the one that began it
    compress_above: Bytes = Bytes(4_096)


class L4Settings(_Section, frozen=True):
    """Disk, kept over restarts."""

    on: bool = True
    directory: str = ""  # empty: `cache` below the state directory
    size: Bytes = Bytes(1_000_000_000)
    age: Seconds = Seconds(86_400.0)
    budget: Seconds = Seconds(0.02)
    compress_above: Bytes = Bytes(4_096)


class InvalidationRule(_Section, frozen=True):
    """When one of ``on`` happens (an event, or the dropping of a pattern), what ``drop`` matches is dropped.

    Patterns are names of parts parted by ``:``; ``*`` stands for one part, or for the rest at the end, ``{agent}`` for
    the event's variable.
    """

    on: tuple[str, ...]
    drop: tuple[str, ...]


class CacheSettings(_Section, frozen=True):
    """The four tiers, and what makes their entries stale."""

    on: bool = True
    memory: Bytes = Bytes(256_000_000)  # all L1s and L2 together, whatever their own sizes add up to
    ttl: Seconds = Seconds(900.0)  # of an entry whose namespace says nothing else
    stale: Seconds = Seconds(0.0)  # how long an entry is still served while it is computed anew
    negative_ttl: Seconds = Seconds(30.0)
    l1: L1Settings = L1Settings()
    l2: L2Settings = L2Settings()
    l3: L3Settings = L3Settings()
    l4: L4Settings = L4Settings()
    invalidation: tuple[InvalidationRule, ...] = (
        InvalidationRule(on=("calendar-update", "meeting-created", "meeting-cancelled"), drop=("calendar:*",)),
        InvalidationRule(on=("calendar:*",), drop=("optimisation:*", "travel:*")),
        InvalidationRule(on=("mail-received", "mail-update"), drop=("communication:*",)),
        InvalidationRule(on=("document-update",), drop=("documents:*", "research:*")),
        InvalidationRule(on=("agent-status-change", "agent-restart"), drop=("agent:{agent}:*",)),
        InvalidationRule(on=("agent:*",), drop=("system:health:*", "task:assignments:*")),
    )


class RetentionSettings(_Section, frozen=True):
    """How much of a history is kept how long: hot as objects, warm packed in memory, cold compressed on disk."""

    hot_entries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    hot_age: Seconds = Seconds(3_600.0)
    hot_size: Bytes = Bytes(4 << 20)
    warm_entries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    warm_age: Seconds = Seconds(86_400.0)
    warm_size: Bytes = Bytes(16 << 20)
    cold_entries: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 1_000_000
    cold_age: Seconds = Seconds(90 * 86_400.0)
    cold_size: Bytes = Bytes(256 << 20)


class WatchSettings(_Section, frozen=True):
    """The detector: alert rules over the windows of every span."""

    on: bool = True
    rules: tuple[str, ...] = ()  # rule files; empty: those that ship with PEA
    interval: Seconds = Seconds(10.0)  # between two evaluations
    link: str = ""  # where people reach this service; empty: its own address
    alertmanagers: tuple[str, ...] = ()  # addresses of Alertmanagers that are told of every rule's alerts


class SlaSettings(_Section, frozen=True):
    """The service-level objectives, over ``period``."""

    period: Seconds = Seconds(30 * 86_400.0)
    p50: Seconds = Seconds(0.1)
    p95: Seconds = Seconds(0.3)
    p99: Seconds = Seconds(1.0)
    failures: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.001  # share of tasks
    availability: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.999  # share of the time
    mtbf: Seconds = Seconds(30 * 86_400.0)
    mttr: Seconds = Seconds(300.0)
    health_check: Seconds = Seconds(0.01)  # of one agent
    crisis: Seconds = Seconds(1.0)
    shed: bool = True  # publish a level by which low priorities are refused while tasks wait and are slow


class Settings(_Section, frozen=True):
    """Everything that can be configured."""

    workspace: str = ""
    state: str = ""
    today: str = ""  # an ISO date, or date and time, that stands for the present; empty: the clock
    user: UserSettings = UserSettings()
    service: ServiceSettings = ServiceSettings()
    access: AccessSettings = AccessSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    journal: JournalSettings = JournalSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    cache: CacheSettings = CacheSettings()
    activity: RetentionSettings = RetentionSettings()  # what agents log with ctx.store
    keeper: KeeperSettings = KeeperSettings()
    store: StoreSettings = StoreSettings()
    watch: WatchSettings = WatchSettings()
    sla: SlaSettings = SlaSettings()
    mcp: McpSettings = McpSettings()
    memory: MemorySettings = MemorySettings()
    llm: LlmSettings = LlmSettings()
    connect: ConnectSettings = ConnectSettings()

    @property
    def zone(self) -> tzinfo:
        """The user's time zone, or the machine's."""
        if self.user.timezone:
            return ZoneInfo(self.user.timezone)
        return machine_zone()

    def now(self) -> datetime:
        """The present in the user's zone: the clock, or the day and time that ``today`` pins."""
        if not self.today:
            return datetime.now(self.zone)
        return parse_present(self.today, self.zone)


def machine_zone() -> tzinfo:
    """The machine's zone with its rules: `datetime.astimezone` tells only today's offset."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            key = str(_LOCALTIME.resolve()).partition("/zoneinfo/")[2]
            return ZoneInfo.from_file(file, key=key or None)
    except (KeyError, ValueError, OSError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


def parse_present(text: str, zone: tzinfo) -> datetime:
    """The moment that a pinned day, or day and time, stands for; ValueError when it is neither."""
    moment = datetime.fromisoformat(text)
    if len(text) <= 10:  # a day alone
        moment = datetime.combine(moment.date(), PINNED_HOUR)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
