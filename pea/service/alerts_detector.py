"""The detector of one service: opened behind the scenes, fed by every span, its rules read again when they change."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pea.config import Settings
from pea.service.refusals import NotReady
from pea.store import Chronicle
from pea.telemetry import Telemetry, names
from pea.version import __version__

if TYPE_CHECKING:
    from pea.watch.alert import Alert
    from pea.watch.rule import RuleSet
    from pea.watch.upheavals import Upheavals
    from pea.watch.watcher import Watcher

SHIPPED = "default.yaml"
_STATES = {"pending": 1.0, "firing": 2.0}

_log = logging.getLogger(__name__)


class Detector:
    """Has a watcher from `open` to `close`. ``problem`` says why the newest rules are not in use, if they are not."""

    def __init__(self, settings: Settings) -> None:
        self.watcher: Watcher | None = None
        self.problem: tuple[str, ...] = ()
        self.on_open: list[Callable[[Watcher], None]] = []
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        self._settings = settings
        self._paths = rule_paths(settings)
        self._seen: tuple[object, ...] = ()
        self._running: asyncio.Task[None] | None = None
        self._undo: list[Callable[[], None]] = []
        self._upheavals: Upheavals | None = None

    def note(self, what: str) -> None:
        """Remember that something was changed now: alerts that begin soon after say so."""
        if self._upheavals is not None:
            self._upheavals.note(time.time(), what)

    def start(
        self, chronicle: Chronicle, telemetry: Telemetry, url: str, path: Path | None, after: asyncio.Task[None]
    ) -> None:
        """Begin to watch once ``after`` has ended: rules and numpy are loaded when the agents' start is over."""
        if self._settings.watch.on and self._running is None:
            self._running = asyncio.create_task(self._run(chronicle, telemetry, url, path, after), name="pea-watch")

    async def close(self) -> None:
        """Stop watching, and write what must survive."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        for close in self.on_close:
            await close()
        for undo in self._undo:
            undo()
        if self.watcher is not None:
            await self.watcher.aclose()

    async def reload(self) -> None:
        """Read the rule files again if they have changed; what is wrong with them leaves the last good ones in use."""
        from pea.watch.rule import told_everywhere

        seen = await asyncio.to_thread(_stamps, self._paths)
        if seen == self._seen or self.watcher is None:
            return
        self._seen = seen
        rules = await asyncio.to_thread(self._read)
        if rules is not None and rules.digest != self.watcher.rules.digest:
            self.watcher.use(told_everywhere(rules, self._settings.watch.alertmanagers))
            self.note("the alert rules were read anew")
            _log.info("%d alert rules are in use", len(rules.rules))

    async def _run(
        self, chronicle: Chronicle, telemetry: Telemetry, url: str, path: Path | None, after: asyncio.Task[None]
    ) -> None:
        await asyncio.wait([after])
        self.watcher = await asyncio.to_thread(self._make, chronicle, telemetry, url, path)
        watcher = self.watcher
        consumers = chronicle.inlet.consumers
        for consumer in (watcher.scene.windows, self._upheavals):
            if consumer is None:
                continue
            consumers.append(consumer)
            self._undo.append(functools.partial(consumers.remove, consumer))
        self._undo.append(telemetry.gauge(names.METRIC_ALERT_STATE, self._states))
        self._undo.append(telemetry.gauge(names.METRIC_ALERT_DETECTION_TIME, self._detections))
        chronicle.add_source(_Lag(telemetry))
        for tell in self.on_open:
            tell(watcher)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watcher.run(float(self._settings.watch.interval)))
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(float(self._settings.watch.interval))
            await self.reload()

    def _make(self, chronicle: Chronicle, telemetry: Telemetry, url: str, path: Path | None) -> Watcher:
        from pea.watch.allocations import Allocations
        from pea.watch.investigate import Investigator
        from pea.watch.notify import sender
        from pea.watch.reading import Scene
        from pea.watch.rule import RuleSet, told_everywhere
        from pea.watch.upheavals import Upheavals
        from pea.watch.watcher import Watcher
        from pea.watch.windows import Windows

        self._upheavals = Upheavals()
        allocations = Allocations()
        self._undo.append(allocations.stop)
        self.note(f"PEA {__version__} started")
        self._seen = _stamps(self._paths)
        rules = told_everywhere(self._read() or _shipped_rules() or RuleSet(), self._settings.watch.alertmanagers)
        link = self._settings.watch.link or url
        watcher = Watcher(
            Scene(Windows(), chronicle.series, time.time(), memory_limit()),
            rules,
            path=path,
            senders=lambda rules: {one.name: sender(one, link) for one in rules.receivers},
            investigate=Investigator(
                chronicle.ask,
                chronicle.series,
                lambda: [one for one in telemetry.monitor.culprits if not one.waited],
                upheavals=self._upheavals,
                allocations=allocations,
            ),
            pin=chronicle.pin,
        )
        watcher.on_change.append(lambda change: allocations.hear(change, watcher.rules))
        return watcher

    def _read(self) -> RuleSet | None:
        from pea.watch.rule_file import BadRules, load_rules

        try:
            rules = load_rules(self._paths)
        except BadRules as error:
            self.problem = tuple(str(fault) for fault in error.faults)
            for fault in self.problem:
                _log.error("the alert rules are not used: %s", fault)
            return None
        self.problem = ()
        return rules

    def _states(self) -> Iterator[tuple[Mapping[str, str], float]]:
        """Every alert's state, for the metric."""
        for alert in self.watcher.book.alerts() if self.watcher is not None else ():
            yield _labels(alert), _STATES.get(alert.state, 0.0)

    def _detections(self) -> Iterator[tuple[Mapping[str, str], float]]:
        """How long each alert that has fired was pending before, for the metric."""
        for alert in self.watcher.book.alerts() if self.watcher is not None else ():
            if alert.fired_s is not None:
                yield _labels(alert), max(alert.fired_s - alert.since_s, 0.0)


def _labels(alert: Alert) -> dict[str, str]:
    labels = {names.PEA_ALERT_RULE: alert.rule, names.PEA_ALERT_SEVERITY: str(alert.severity)}
    if "agent" in alert.labels:
        labels[names.GEN_AI_AGENT_NAME] = alert.labels["agent"]
    return labels


class _Lag:
    """A source of the loop lag's p99 since the last sample, from the metric's own histogram."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._metrics = telemetry.metrics
        self._before: Any = None

    def __call__(self) -> Mapping[str, float]:
        from pea.watch.buckets import quantile_between
        from pea.watch.signals import LOOP_LAG_P99

        found = self._metrics.histograms(names.METRIC_LOOP_LAG)
        if not found:
            return {}
        now, before = found[0].histogram, self._before
        self._before = now
        value = quantile_between(before, now, 0.99)
        return {} if value is None else {LOOP_LAG_P99: value}


def rule_paths(settings: Settings) -> list[Path]:
    """The rule files in use: those of the settings, else the one that ships with PEA."""
    return [Path(one).expanduser() for one in settings.watch.rules] or [shipped_path()]


def shipped_path() -> Path:
    """Where the default rules are: in the installed package, or in the checkout."""
    installed = Path(str(files("pea"))) / "data" / "alerts" / SHIPPED
    return installed if installed.exists() else Path(str(files("pea"))).parent / "alerts" / SHIPPED


def memory_limit() -> float:
    """Bytes that this process may have: its control group's limit, else the machine's memory."""
    import psutil

    machine = float(psutil.virtual_memory().total)
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        return min(float(text), machine) if text.isdigit() else machine
    except OSError:
        return machine


def _shipped_rules() -> RuleSet | None:
    from pea.watch.rule_file import load_rules

    return load_rules([shipped_path()])


def _stamps(paths: list[Path]) -> tuple[object, ...]:
    found: list[object] = []
    for path in paths:
        try:
            about = path.stat()
            found.append((about.st_mtime_ns, about.st_size, about.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def detector_of(request: web.Request) -> Watcher:
    """The watcher; NotReady until it has been opened, or where it is switched off."""
    watcher = request.app[DETECTOR].watcher
    if watcher is None:
        raise NotReady("the detector is not running", fix="try again, or set `watch.on`", headers={"Retry-After": "1"})
    return watcher


DETECTOR: web.AppKey[Detector] = web.AppKey("detector", Detector)
