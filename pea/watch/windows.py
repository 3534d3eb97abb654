"""The windows of all series, fed with every finished span before any sampling, whoever made it.

Series are kept by a family's own labels and by whatever else rules group by. Time is the spans' own: a clock only
keeps strangers' clocks from running ahead of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pea.telemetry.record import SpanRecord
from pea.watch.families import FAMILIES, SERVICE, Family, Sorter, marked
from pea.watch.window import SHORT_S, Window

MAX_SERIES = 1_000  # of one family
MAX_LABEL = 200
OTHER = "(other)"
AHEAD_S = 60.0

Labels = tuple[str, ...]


class Need(msgspec.Struct, frozen=True):
    """What a rule asks of a family's windows: labels to group by, how far back, and limits counted over that time."""

    family: str
    labels: tuple[str, ...] = ()
    long_s: int = 0
    limits: tuple[float, ...] = ()


class Shelf:
    """A family's series. ``grouped`` puts them together by some of their labels; that is remembered too."""

    def __init__(self, family: Family, limit: int, needs: Iterable[Need] = ()) -> None:
        wanted = list(needs)
        extra = sorted({label for need in wanted for label in need.labels} - set(family.default))
        self.family = family
        self.labels: tuple[str, ...] = (*family.default, *extra)
        self.attributes = tuple(family.attribute(label) for label in self.labels)
        self.service = SERVICE in self.labels and self.labels.index(SERVICE)
        self.long_s = max((need.long_s for need in wanted), default=0)
        self.limits = tuple(sorted({limit for need in wanted for limit in need.limits}))
        self.series: dict[Labels, Window] = {}
        self.overflowed = 0
        self._raw: dict[tuple[Any, ...], Window] = {}
        self._limit = limit
        self._groups: dict[tuple[str, ...], dict[Labels, list[Window]]] = {}
        self._grouped = 0

    def window(self, record: SpanRecord, attributes: Mapping[str, Any]) -> Window:
        """The window of the series that a span belongs to."""
        raw = tuple(map(attributes.get, self.attributes))
        if self.service is not False:
            raw = (*raw[: self.service], record.origin.service, *raw[self.service + 1 :])
        try:
            found = self._raw.get(raw)
        except TypeError:  # a sequence or a mapping, which no label should be
            raw = tuple(map(str, raw))
            found = self._raw.get(raw)
        if found is None:
            found = self.at(tuple("" if value is None else _text(value) for value in raw))
            if len(self._raw) < 4 * self._limit:
                self._raw[raw] = found
        return found

    def at(self, values: Labels) -> Window:
        """The window of a series, made when it is new; past the limit the one of all others."""
        found = self.series.get(values)
        if found is None:
            if len(self.series) >= self._limit - 1:
                self.overflowed += 1
                values = (OTHER,) * len(self.labels)
            found = self.series.get(values)
        if found is None:
            found = self.series[values] = Window(self.long_s, self.limits)
        return found

    def grouped(self, by: tuple[str, ...]) -> Mapping[Labels, list[Window]]:
        """Windows by the values of these labels."""
        if self._grouped != len(self.series):
            self._groups.clear()
            self._grouped = len(self.series)
        found = self._groups.get(by)
        if found is None:
            places = [self.labels.index(label) for label in by]
            found = self._groups[by] = {}
            for values, window in self.series.items():
                found.setdefault(tuple(values[place] for place in places), []).append(window)
        return found

    def forget(self, before_s: float) -> None:
        """Drop the series in which nothing happened since then."""
        gone = [values for values, window in self.series.items() if window.last_s < before_s]
        for values in gone:
            del self.series[values]
        if gone:
            self._raw.clear()
            self._groups.clear()


class Windows:
    """A record consumer: `take` counts spans, `shelf` shows a family's series. Safe from any thread under ``lock``."""

    def __init__(self, clock: Callable[[], float] = time.time, *, limit: int = MAX_SERIES) -> None:
        self.lock = threading.RLock()
        self.ahead = 0  # spans whose clock ran ahead of ours
        self._clock = clock
        self._limit = max(limit, 2)
        self._sorter = Sorter()
        self._shelves = {name: Shelf(family, self._limit) for name, family in FAMILIES.items()}

    def need(self, needs: Iterable[Need]) -> None:
        """Keep what these ask for. A family whose labels or reach change begins anew; the others go on."""
        wanted: dict[str, list[Need]] = {}
        for need in needs:
            wanted.setdefault(need.family, []).append(need)
        with self.lock:
            for name, family in FAMILIES.items():
                made, held = Shelf(family, self._limit, wanted.get(name, ())), self._shelves[name]
                if (made.labels, made.long_s, made.limits) != (held.labels, held.long_s, held.limits):
                    self._shelves[name] = made

    def shelf(self, family: str) -> Shelf:
        """The series of a family."""
        return self._shelves[family]

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Count finished spans and their leaves."""
        latest_ns = int((self._clock() + AHEAD_S) * 1e9)
        of, named, shelves = self._sorter.of, self._sorter.named, self._shelves
        with self.lock:
            for record in records:
                family = of(record)
                if family is not None:
                    self._count(
                        shelves[family.name], record, record.attributes, record.start_ns, record.end_ns, latest_ns
                    )
                for name, start_ns, end_ns, own in record.leaves:
                    family = named(name)
                    if family is not None:
                        # What a leaf does not say of itself, its parent says: queue.wait has its task's capability.
                        both = {**record.attributes, **own} if own else record.attributes
                        self._count(shelves[family.name], record, both, start_ns, end_ns, latest_ns)

    def forget(self, now_s: float) -> None:
        """Drop series that no window of any rule reaches any more."""
        with self.lock:
            for shelf in self._shelves.values():
                shelf.forget(now_s - max(SHORT_S, shelf.long_s))

    def _count(
        self, shelf: Shelf, record: SpanRecord, about: Mapping[str, Any], start_ns: int, end_ns: int, latest_ns: int
    ) -> None:
        if end_ns > latest_ns:
            self.ahead += 1
            end_ns, start_ns = latest_ns - int(AHEAD_S * 1e9), start_ns - end_ns + latest_ns - int(AHEAD_S * 1e9)
        value = (end_ns - start_ns) * 1e-9 if end_ns > start_ns else 0.0
        failed = marked(shelf.family, record, about)
        shelf.window(record, about).add(end_ns, value, record.trace_id, marked=failed)


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
