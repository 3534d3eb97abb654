"""Settings: pea.yaml, then PEA_* variables, then the command line, read into typed structs.

Every default of PEA stands here. A setting ``service.port`` is ``service: {port: 8080}`` in the file and
``PEA_SERVICE__PORT=8080`` in the environment; durations are written ``250ms``, ``5s``, ``2m``, ``24h``, ``7d`` and
sizes ``64KiB``, ``1MiB``, ``2GB``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import yaml

from pea.errors import ConfigError, did_you_mean

MAX_CONFIG_BYTES = 1 << 20
_LOCALTIME = Path("/etc/localtime")
PINNED_HOUR = time(7, 30)  # what "now" is on a day given by --today without a time of day

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?i?)B?\s*", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
}


class Seconds(float):
    """A duration in seconds, written ``1.5``, ``250ms``, ``5s``, ``2m``, ``24h`` or ``7d``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Seconds:
        """Read a duration; ValueError when it is not one, is negative or not finite."""
        if isinstance(text, int | float) and not isinstance(text, bool):
            if not 0 <= text < 1e10:
                raise ValueError(f"a duration between 0 and 300 years is expected, not {text!r}")
            return cls(text)
        match = _DURATION.fullmatch(text) if isinstance(text, str) and len(text) < 64 else None
        if match is None:
            raise ValueError(f"a duration such as 250ms, 5s, 2m, 24h or 7d is expected, not {text!r}")
        return cls.parse(float(match[1]) * _DURATION_UNITS[match[2]])


class Bytes(int):
    """A size in bytes, written ``1024``, ``64KiB``, ``1MiB`` or ``2GB``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Bytes:
        """Read a size; ValueError when it is not one or is negative."""
        if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 1 << 60:
            return cls(text)
        match = _SIZE.fullmatch(text) if isinstance(text, str) and len(text) < 64 else None
        if match is None:
            raise ValueError(f"a size such as 1024, 64KiB, 1MiB or 2GB is expected, not {text!r}")
        return cls(int(float(match[1]) * _SIZE_UNITS[match[2].lower()]))


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
    queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    timeout: Seconds = Seconds(5.0)
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    retry_base: Seconds = Seconds(0.05)
    retry_cap: Seconds = Seconds(1.0)
    start_timeout: Seconds = Seconds(5.0)
    history: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    history_age: Seconds = Seconds(86_400.0)
    history_size: Bytes = Bytes(64 << 20)
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    agents: tuple[str, ...] = ()  # empty: every installed agent


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
    policy: Literal["adaptive", "clock", "s3-fifo", "tinylfu"] = "adaptive"


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
        InvalidationRule(on=("agent-status-change", "agent-restart"), drop=("agent:{agent}:*",)),
        InvalidationRule(on=("agent:*",), drop=("system:health:*", "task:assignments:*")),
    )


class Settings(_Section, frozen=True):
    """Everything that can be configured."""

    workspace: str = ""
    state: str = ""
    today: str = ""  # an ISO date, or date and time, that stands for the present; empty: the clock
    user: UserSettings = UserSettings()
    service: ServiceSettings = ServiceSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    cache: CacheSettings = CacheSettings()
    keeper: KeeperSettings = KeeperSettings()
    store: StoreSettings = StoreSettings()

    @property
    def zone(self) -> tzinfo:
        """The user's time zone, or the machine's."""
        if self.user.timezone:
            return ZoneInfo(self.user.timezone)
        return _machine_zone()

    def now(self) -> datetime:
        """The present in the user's zone: the clock, or the day and time that ``today`` pins."""
        if not self.today:
            return datetime.now(self.zone)
        return _parse_today(self.today, self.zone)


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from ``path`` (else PEA_CONFIG, else ./pea.yaml), PEA_* variables and dotted ``overrides``.

    Relative ``workspace`` and ``state`` paths in the file are relative to it; ``state`` defaults to ``.pea`` beside the
    configuration. Raises ConfigError with the file and line, or the variable, and the nearest valid word.
    """
    environ = os.environ if environ is None else environ
    if path is None and environ.get("PEA_CONFIG"):
        path = Path(environ["PEA_CONFIG"])
    if path is None and Path("pea.yaml").is_file():
        path = Path("pea.yaml")
    text = "" if path is None else _read(path)
    tree: dict[str, Any] = _parse(text, path)
    origins: dict[str, str] = {}
    home = Path.cwd() if path is None else path.resolve().parent
    for key in ("workspace", "state"):
        if isinstance(tree.get(key), str) and tree[key]:
            tree[key] = str(home / Path(tree[key]).expanduser())
    for name, value in _from_environment(environ):
        _put(tree, name, value, origins, f"PEA_{name.upper().replace('.', '__')}")
    for name, given in (overrides or {}).items():
        if given is not None:
            _put(tree, name, given, origins, f"--{name.rsplit('.', 1)[-1].replace('_', '-')}")
    tree.setdefault("state", str(home / ".pea"))
    settings = _convert(tree, origins, text, path)
    _check(settings, origins, text, path)
    return settings


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), fix="give --config an existing file"
        ) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"is larger than {MAX_CONFIG_BYTES:,} bytes", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 at byte {error.start}", where=str(path)) from error


def _parse(text: str, path: Path | None) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"must be a mapping of settings, not {type(tree).__name__}", where=f"{path}:1")
    return tree


# Variables that begin with PEA_ and are not settings.
_NOT_SETTINGS = {"PEA_CONFIG", "PEA_REQUIRE_SERVICES", "PEA_URL", "PEA_TOKEN"}


def _from_environment(environ: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for name, text in sorted(environ.items()):
        if not name.startswith("PEA_") or name in _NOT_SETTINGS:
            continue
        try:
            value = yaml.safe_load(text) if text else ""
        except (yaml.YAMLError, RecursionError, ValueError):
            value = text
        # A date, or a number where text is due, would lose how it was written.
        yield (
            name[4:].lower().replace("__", "."),
            value if isinstance(value, bool | int | float | list | dict) else text,
        )


def _put(tree: dict[str, Any], name: str, value: Any, origins: dict[str, str], origin: str) -> None:
    *sections, leaf = name.split(".")
    place: Any = tree
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{section!r} is not a section", where=origin)
    place[leaf] = value
    origins[name] = origin


_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*?)`)?$", re.DOTALL)


def _decode_unit(kind: type, value: object) -> object:
    if kind in (Seconds, Bytes):
        return kind.parse(value)
    raise ValueError(f"{kind.__name__} cannot be read from {value!r}")


def _convert(tree: dict[str, Any], origins: Mapping[str, str], text: str, path: Path | None) -> Settings:
    # A number or a date written without quotes where text is due is meant as text.
    for key in ("today", "workspace", "state"):
        if isinstance(tree.get(key), int | float | date):
            tree[key] = str(tree[key])
    try:
        return msgspec.convert(tree, Settings, dec_hook=_decode_unit)
    except msgspec.ValidationError as error:
        message = str(error)
        unknown = _UNKNOWN.match(message)
        if unknown:
            section, field = unknown[2] or "", unknown[1]
            name = f"{section}.{field}" if section else field
            known = _fields_of(section)
            raise ConfigError(
                f"no setting is called {name!r}",
                where=_where(name, origins, text, path),
                fix=did_you_mean(field, known),
            ) from None
        at = _AT.match(message)
        name = (at[2] if at else None) or ""
        what = f"{name}: {at[1] if at else message}" if name else message
        raise ConfigError(what, where=_where(name, origins, text, path)) from None


def _fields_of(section: str) -> list[str]:
    kind: Any = Settings
    for part in section.split(".") if section else ():
        kind = next((f.type for f in msgspec.structs.fields(kind) if f.name == part), Settings)
    return [f.encode_name for f in msgspec.structs.fields(kind)]


def _where(name: str, origins: Mapping[str, str], text: str, path: Path | None) -> str | None:
    """The variable, option, or file and line that set ``name``."""
    if name in origins:
        return origins[name]
    if path is None:
        return None
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for part in name.split(".") if name else ():
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == part:
                node, line = value, key.start_mark.line + 1
                break
        else:
            break
    return f"{path}:{line}"


def _check(settings: Settings, origins: Mapping[str, str], text: str, path: Path | None) -> None:
    """What types cannot say: zones exist, the pinned day is a day."""
    try:
        zone = settings.zone
    except (KeyError, ValueError, OSError) as error:
        where = _where("user.timezone", origins, text, path)
        raise ConfigError(
            f"no time zone is called {settings.user.timezone!r}",
            where=where,
            fix="use an IANA name such as Europe/Berlin",
        ) from error
    try:
        if settings.today:
            _parse_today(settings.today, zone)
    except ValueError as error:
        where = _where("today", origins, text, path)
        raise ConfigError(
            f"{settings.today!r} is not a day", where=where, fix="write 2026-05-12 or 2026-05-12T07:30"
        ) from error


def _machine_zone() -> tzinfo:
    """The machine's zone with its rules; `datetime.astimezone` only tells today's offset, wrong after a clock change."""
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            key = str(_LOCALTIME.resolve()).partition("/zoneinfo/")[2]
            return ZoneInfo.from_file(file, key=key or None)
    except (KeyError, ValueError, OSError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


def _parse_today(text: str, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(text)
    if len(text) <= 10:  # a day alone
        moment = datetime.combine(moment.date(), PINNED_HOUR)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
