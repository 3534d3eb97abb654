"""The user's calendars: what happens between two moments, from every .ics file of the workspace."""

from __future__ import annotations

import functools
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pea.errors import MissingExtra
from pea.workspace.calendars_events import Attendee, Event, Response, to_event
from pea.workspace.calendars_ics import READER, CalendarFile, Component, Part, Series, newer, take_apart
from pea.workspace.content_lines import unescape
from pea.workspace.files import MAX_FILE_BYTES, Changes, Done, Folder, SourceReport, read_bytes, shown
from pea.workspace.files_cache import ReadCache
from pea.workspace.files_report import REFUSALS_SHOWN, Complaints, Refusal

if TYPE_CHECKING:
    from pea.workspace.recurrence import Prepared

__all__ = ["Attendee", "Calendars", "Days", "Event", "Response"]

SUFFIXES = (".ics", ".ical", ".ifb", ".vcs")
MAX_DAYS = 400
MAX_EVENTS = 20_000
WINDOWS_KEPT = 32
SERIES_KEPT = 1_000  # as they were parsed, some 10 kB each: other days of the same calendars need no more of it


# dateutil's rules keep a lock of their own while they are iterated and leave it held when two threads share a time
# zone's rule: one expansion at a time, in the whole process.
_EXPANDING = threading.Lock()


class Days(msgspec.Struct, frozen=True):
    """What happens in some days: events by start (all-day ones first), and what could not be worked out, by file.

    ``whole`` is false when time ran out, or there were too many events, before all were worked out.
    """

    events: tuple[Event, ...]
    notes: tuple[Refusal, ...] = ()
    notes_count: int = 0
    whole: bool = True


class _Placed(msgspec.Struct, frozen=True, eq=False):
    """A series with the calendars and file its components come from; itself alone is equal to it."""

    series: Series
    components: tuple[tuple[Component, Part], ...]
    path: str


class Calendars:
    """The calendars of a workspace, read as they change; safe to use from several threads."""

    def __init__(
        self, workspace: Path, *, cache: ReadCache | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder: Folder[CalendarFile] = Folder(
            workspace,
            "calendars",
            read=lambda path: take_apart(read_bytes(path, max_bytes=MAX_FILE_BYTES)),
            accepts=lambda path: path.suffix.lower() in SUFFIXES,
            count=lambda file: file.events,
            notes=lambda file: file.notes,
            memory=None if cache is None else cache.memory(CalendarFile, reader=READER, workspace=workspace),
            clock=clock,
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._placed: tuple[_Placed, ...] = ()
        self._prepared = _remembering()
        self._twice = Complaints()
        self._windows: OrderedDict[tuple[datetime, datetime, str], Days] = OrderedDict()

    def refresh(self, *, budget_s: float | None = None, done: Done | None = None) -> Changes:
        """Read files that are new or changed; what was worked out from the others' older versions is dropped."""
        changes = self._folder.refresh(budget_s=budget_s, done=done)
        if changes:
            placed, twice = _merged(self._folder.items)
            with self._lock:
                self._placed, self._twice, self._prepared = placed, twice, _remembering()
                self._windows.clear()
        return changes

    @property
    def version(self) -> str:
        """Changes whenever what was read does; see `Folder.version`."""
        return self._folder.version

    def report(self) -> SourceReport:
        """Files read and refused, and what was wrong inside those that were read."""
        report, twice = self._folder.report(), self._twice
        notes = (*report.notes, *twice.first)[:REFUSALS_SHOWN]
        return msgspec.structs.replace(report, notes=notes, notes_count=report.notes_count + twice.count)

    def between(self, start: datetime, end: datetime, zone: tzinfo, *, budget_s: float | None = None) -> Days:
        """The events that touch [start, end), both aware, at most 400 days apart; times in ``zone``.

        An event of no length counts where it starts. After ``budget_s`` seconds the rest is left out, with a note
        that says how much. Raises ValueError when the moments are naive, in the wrong order or too far apart.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("the moments must have a time zone")
        if not timedelta() < end - start <= timedelta(days=MAX_DAYS):
            raise ValueError(f"the end must be after the start, by at most {MAX_DAYS} days")
        key = (start, end, str(zone))
        known = self._known(key)
        if known is not None:
            return known
        until = None if budget_s is None else self._clock() + budget_s
        with _EXPANDING:
            known = self._known(key)  # who had the lock before may have worked out the same days
            if known is not None:
                return known
            placed, prepared = self._placed, self._prepared
            days = _worked_out(placed, prepared, start, end, zone, lambda: until is not None and self._clock() >= until)
        with self._lock:
            if days.whole and placed is self._placed:
                self._windows[key] = days
                while (
                    len(self._windows) > WINDOWS_KEPT or sum(len(d.events) for d in self._windows.values()) > MAX_EVENTS
                ):
                    self._windows.popitem(last=False)
        return days

    def _known(self, key: tuple[datetime, datetime, str]) -> Days | None:
        with self._lock:
            known = self._windows.get(key)
            if known is not None:
                self._windows.move_to_end(key)
            return known


def _remembering() -> Callable[[_Placed], Prepared]:
    """What parses a series, and remembers those that were asked for last."""

    def prepared(one: _Placed) -> Prepared:
        from pea.workspace.recurrence import prepare

        return prepare(one.components)

    return functools.lru_cache(SERIES_KEPT)(prepared)


def _worked_out(
    placed: Iterable[_Placed],
    prepared: Callable[[_Placed], Prepared],
    start: datetime,
    end: datetime,
    zone: tzinfo,
    late: Callable[[], bool],
) -> Days:
    """Expand every series that can touch the days, until it is ``late``."""
    try:
        from pea.workspace.recurrence import expand
    except ImportError as error:
        raise MissingExtra(f"calendars need {error.name}", fix="pip install 'pea[assistant]'") from error

    first, last = _number(start, -2), _number(end, 2)
    events: list[Event] = []
    notes = Complaints()
    left = 0
    for one in placed:
        if one.series.last < first or one.series.first > last:
            continue
        if late() or len(events) >= MAX_EVENTS:
            left += 1
            continue
        expansion = expand(prepared(one), start, end)
        recurring = len(one.components) > 1 or any(
            line.startswith(("RRULE", "RDATE")) for c, _ in one.components for line in c.text.split("\r\n")
        )
        for properties, begins, ends, part in expansion.occurrences:
            try:
                event = to_event(
                    properties,
                    begins,
                    ends,
                    uid=one.series.uid,
                    recurring=recurring,
                    part=part,
                    path=one.path,
                    zone=zone,
                )
            except (OverflowError, ValueError):  # year 0 or 10000 once zones are applied
                notes.add(one.path, f"{_label(one.series)}: its time is outside the years 1 to 9999")
                continue
            if event.start < end and (event.end > start or event.start >= start):
                events.append(event)
        for note in dict.fromkeys(expansion.notes):
            notes.add(one.path, f"{_label(one.series)}: {note}")
    if left:
        notes.add("calendars", f"{left} events were not worked out: there was no time, or too many others")
    events.sort(key=lambda e: (e.first_day if e.all_day else e.start.date(), not e.all_day, e.start, e.end, e.title))
    return Days(tuple(events), tuple(notes.first), notes.count, left == 0)


def _label(series: Series) -> str:
    """What to call a series in a note: its title, else its UID."""
    title = re.search(r"^SUMMARY[^:\r\n]*:([^\r\n]+)", series.components[0].text, re.MULTILINE)
    return f"{shown(unescape(title[1])[:60])!r}" if title else f"event {shown(series.uid[:60])!r}"


def _number(moment: datetime, days: int) -> int:
    try:
        day = moment.date() + timedelta(days=days)
    except OverflowError:
        day = moment.date()
    return day.year * 10_000 + day.month * 100 + day.day


def _merged(files: Mapping[str, CalendarFile]) -> tuple[tuple[_Placed, ...], Complaints]:
    """Every series once: where files give the same UID, each occurrence counts in its newest version (RFC 5546)."""
    by_uid: dict[str, list[tuple[str, Part, Series]]] = {}
    for path, file in files.items():
        for part in file.parts:
            # A calendar without a name is known by its file's.
            named = part if part.name else msgspec.structs.replace(part, name=Path(path).stem)
            for series in part.series:
                by_uid.setdefault(series.uid, []).append((path, named, series))
    twice = Complaints()
    placed: list[_Placed] = []
    for uid, found in by_uid.items():
        if len(found) == 1:
            path, part, series = found[0]
            placed.append(_Placed(series, tuple((c, part) for c in series.components), path))
        else:
            placed.append(_newest(uid, found, twice))
    return tuple(placed), twice


def _newest(uid: str, found: list[tuple[str, Part, Series]], twice: Complaints) -> _Placed:
    chosen: dict[str, tuple[Component, Part, str]] = {}
    for path, part, series in found:
        for component in series.components:
            rival = chosen.get(component.recurrence_id)
            if rival is None:
                chosen[component.recurrence_id] = (component, part, path)
            elif newer(component, rival[0]):
                chosen[component.recurrence_id] = (component, part, path)
                twice.add(rival[2], f"event {uid[:60]!r} is newer in {path}, which counts")
            elif component.text != rival[0].text:
                twice.add(path, f"event {uid[:60]!r} is also in {rival[2]}, which counts")
    main = chosen.get("") or next(iter(chosen.values()))
    series = Series(
        uid,
        tuple(component for component, _, _ in chosen.values()),
        min(series.first for _, _, series in found),
        max(series.last for _, _, series in found),
    )
    return _Placed(series, tuple((component, part) for component, part, _ in chosen.values()), main[2])
