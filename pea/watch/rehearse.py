"""Rules tried on made-up or recorded days: a clock of its own, spans and samples by the minute, alerts as they come.

`Stage` is the whole detector without a service: unit tests of rules, replays of the past and the benchmark's fleet all
play on it. The same events give the same alerts, always.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, field

from pea.config import Seconds
from pea.errors import ConfigError, did_you_mean
from pea.store.series import SeriesStore
from pea.telemetry import names
from pea.telemetry.instruments import METRICS
from pea.telemetry.record import ERROR, Origin, SpanRecord
from pea.watch.alert import Alert, State
from pea.watch.book import Change
from pea.watch.families import FAMILIES, SCOPE, SERVER, SERVICE
from pea.watch.reading import Scene
from pea.watch.rule import RuleSet, Share
from pea.watch.watcher import Watcher
from pea.watch.windows import Windows

EPOCH_S = 1_800_000_000.0
MAX_EVENTS = 5_000_000
INTERVAL_S = 10.0

_VALUES = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?)(?:([+-][\d.]+(?:e[+-]?\d+)?))?x(\d{1,5})", re.ASCII)

Event = tuple[float, SpanRecord | Mapping[str, float]]  # seconds from the beginning; a span, or samples by series


class Stage:
    """A detector that lives by the events it is played."""

    def __init__(self, rules: RuleSet, *, interval_s: float = INTERVAL_S, series: int = 1_000) -> None:
        self.now_s = EPOCH_S
        self.windows = Windows(self._clock)
        self.samples = SeriesStore(series)
        scene = Scene(self.windows, self.samples, EPOCH_S)
        self.watcher = Watcher(scene, rules, clock=self._clock)
        self._interval_s = interval_s

    def play(self, events: Iterable[Event], until_s: float) -> Iterator[tuple[float, Change]]:
        """Play events, which are in order of time, and evaluate at every interval: each change with its second."""
        waiting = iter(events)
        event = next(waiting, None)
        steps = math.ceil(until_s / self._interval_s)
        for step in range(1, steps + 1):
            at_s = step * self._interval_s
            spans = []
            while event is not None and event[0] <= at_s:
                if isinstance(event[1], SpanRecord):
                    spans.append(event[1])
                else:
                    self.samples.sample(EPOCH_S + event[0], event[1])
                event = next(waiting, None)
            self.now_s = EPOCH_S + at_s
            self.windows.take(spans)
            for change in self.watcher.evaluate(self.now_s):
                yield at_s, change

    def _clock(self) -> float:
        return self.now_s


class Spans(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Spans of one family at even distances."""

    of: str
    labels: dict[str, str] = {}
    from_: Seconds = field(default_factory=lambda: Seconds(0), name="from")
    until: Seconds
    every: Seconds
    take: Seconds = field(default_factory=lambda: Seconds(0.1))
    failed: Share = field(default_factory=lambda: Share(0))

    def events(self) -> Iterator[Event]:
        """The spans; every n-th is failed so that the share is right."""
        if self.of not in FAMILIES:
            raise ConfigError(f"no spans are called {self.of!r}", fix=did_you_mean(self.of, FAMILIES))
        if self.every < 0.001 or (self.until - self.from_) / self.every > MAX_EVENTS:
            raise ConfigError(f"{self.of}: that is more than {MAX_EVENTS:,} spans", fix="raise `every`")
        owed, number = 0.0, 0
        at_s = float(self.from_)
        while at_s < self.until:
            owed += self.failed
            failed = owed >= 1 - 1e-9
            owed -= failed
            number += 1
            yield at_s, span(self.of, self.labels, at_s, float(self.take), number, failed=failed)
            at_s = self.from_ + number * self.every


class Samples(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One series, a value each ten seconds; ``1e9+1e6x30`` is promtool's way to write thirty rising values more."""

    metric: str
    labels: dict[str, str] = {}
    values: Annotated[str, Meta(max_length=100_000)]

    def events(self) -> Iterator[Event]:
        """The samples."""
        inner = ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        name = f"{self.metric}{{{inner}}}" if inner else self.metric
        for place, value in enumerate(expand(self.values)):
            if value is not None:
                yield place * INTERVAL_S, {name: value}


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alert that is expected."""

    labels: dict[str, str] = {}
    state: State = State.FIRING
    message: str | None = None


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The alerts of a rule at a moment: exactly these."""

    at: Seconds
    rule: str
    expect: tuple[Expected, ...] = ()


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A story and what the rules should make of it."""

    name: str
    spans: tuple[Spans, ...] = ()
    samples: tuple[Samples, ...] = ()
    alerts: tuple[Check, ...]


class TrialFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unit tests of rules; ``rule_files`` are relative to the file."""

    rule_files: tuple[str, ...]
    interval: Seconds = field(default_factory=lambda: Seconds(INTERVAL_S))
    tests: tuple[Trial, ...]


def perform(trial: Trial, rules: RuleSet, interval_s: float = INTERVAL_S) -> list[str]:
    """Play a trial; what differs from the expectation, in words."""
    known = [rule.name for rule in rules.rules]
    for check in trial.alerts:
        if check.rule not in known:
            raise ConfigError(f"{trial.name}: no rule is called {check.rule!r}", fix=did_you_mean(check.rule, known))
    stage = Stage(rules, interval_s=interval_s)
    waiting = sorted(trial.alerts, key=lambda check: check.at)
    differences: list[str] = []
    changes = stage.play(events(trial), float(max((check.at for check in waiting), default=0)) + interval_s)
    held: dict[str, Alert] = {}
    for at_s, change in changes:
        while waiting and waiting[0].at < at_s:
            differences += _compare(trial, waiting.pop(0), held)
        held[change.alert.id] = change.alert
    for check in waiting:
        differences += _compare(trial, check, held)
    return differences


def events(trial: Trial) -> Iterator[Event]:
    """All of a trial's events in order of time."""
    sources = [*(one.events() for one in trial.spans), *(one.events() for one in trial.samples)]
    return heapq.merge(*sources, key=lambda event: event[0])


def span(
    family: str, labels: Mapping[str, str], at_s: float, seconds: float, number: int, *, failed: bool = False
) -> SpanRecord:
    """A span of a family that ends ``at_s`` after the beginning."""
    found = FAMILIES[family]
    word = METRICS[found.metric].span
    about: dict[str, object] = {found.attribute(key): value for key, value in labels.items() if key != SERVICE}
    if found.hit:
        about[found.hit] = not failed
    elif failed:
        about.setdefault(names.ERROR_TYPE, "error")
    end_ns = round((EPOCH_S + at_s) * 1e9)
    return SpanRecord(
        trace_id=number,
        span_id=number,
        name=f"{word} rehearsed" if word else "GET /rehearsed",
        kind=1 if word else SERVER,
        start_ns=end_ns - round(seconds * 1e9),
        end_ns=end_ns,
        status=ERROR if failed and not found.hit else 0,
        attributes=about,
        origin=Origin(labels.get(SERVICE, "pea"), scope=SCOPE),
    )


def expand(text: str) -> list[float | None]:
    """Promtool's notation: ``1 2 _ 5+1x3`` is 1, 2, nothing, 5, 6, 7, 8; ConfigError for anything else."""
    found: list[float | None] = []
    for word in text.split():
        match = _VALUES.fullmatch(word)
        if match is not None:
            first, step = float(match[1]), float(match[2] or 0)
            found += [first + step * place for place in range(int(match[3]) + 1)]
        elif word.startswith("_"):
            found += [None] * (int(word[2:]) if word[1:2] == "x" and word[2:].isdigit() else 1)
        else:
            try:
                found.append(float(word))
            except ValueError:
                raise ConfigError(f"{word[:40]!r} is no value", fix="write 5, _, or 5+1x3") from None
        if len(found) > MAX_EVENTS:
            raise ConfigError("that is too many values")
    return found


def _compare(trial: Trial, check: Check, held: Mapping[str, Alert]) -> list[str]:
    present = {
        tuple(sorted(alert.labels.items())): alert
        for alert in held.values()
        if alert.rule == check.rule and alert.state in {State.PENDING, State.FIRING}
    }
    wanted = {tuple(sorted(one.labels.items())): one for one in check.expect if one.state is not State.INACTIVE}
    place = f"{trial.name}: {check.rule} at {check.at:g} s"
    said = []
    for labels in sorted(present.keys() | wanted.keys()):
        shown = ", ".join(f"{key}={value}" for key, value in labels) or "no labels"
        alert, expected = present.get(labels), wanted.get(labels)
        if expected is None and alert is not None:
            said.append(f"{place}: {shown} is {alert.state}, and is not expected")
        elif alert is None and expected is not None:
            said.append(f"{place}: {shown} should be {expected.state}, and all is well")
        elif alert is not None and expected is not None and alert.state is not expected.state:
            said.append(f"{place}: {shown} should be {expected.state}, and is {alert.state}")
        elif alert is not None and expected is not None and expected.message not in {None, alert.message}:
            said.append(f"{place}: {shown} should say {expected.message!r}, and says {alert.message!r}")
    return said
