"""The user's calendars: what happens between two moments, from every .ics file of the workspace."""

from __future__ import annotations

import functools
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
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
STRETCH = timedelta(days=28)  # worked out at once when other days of it are asked for
SERIES_KEPT = 1_000  # as they were parsed, some 10 kB each: other days of the same calendars need no more of it


# dateutil's rules keep a lock of their own while they are iterated and leave it held when two threads share a time
# zone's rule: one expansion at a time, in the whole process.
_EXPANDING = threading.Lock()
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)


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
        around = _stretch(start, end)
        known = self._known(start, end, zone, around)
        if known is not None:
            return known
        began = self._clock()
        with _EXPANDING:
            # Who had the lock before may have worked out the same days.
            known = self._known(start, end, zone, around)
            if known is None and self._neighbours(around, zone):
                # At most half of the time: where the stretch takes longer, these days alone still have the rest.
                self._work_out(*around, zone, None if budget_s is None else began + budget_s / 2)
                known = self._known(start, end, zone, around)
            if known is not None:
                return known
            return self._work_out(start, end, zone, None if budget_s is None else began + budget_s)

    def _work_out(self, start: datetime, end: datetime, zone: tzinfo, until: float | None) -> Days:
        """What happens in these days, which is remembered if there was the time for all of it."""
        placed, prepared = self._placed, self._prepared
        days = _worked_out(placed, prepared, start, end, zone, lambda: until is not None and self._clock() >= until)
        with self._lock:
            if days.whole and placed is self._placed:
                self._windows[start, end, str(zone)] = days
                while (
                    len(self._windows) > WINDOWS_KEPT or sum(len(d.events) for d in self._windows.values()) > MAX_EVENTS
                ):
                    self._windows.popitem(last=False)
        return days

    def _known(self, start: datetime, end: datetime, zone: tzinfo, around: tuple[datetime, datetime]) -> Days | None:
        """These days, if they or the stretch around them have been worked out."""
        with self._lock:
            for first, last in ((start, end), around):
                known = self._windows.get((first, last, str(zone)))
                if known is not None:
                    self._windows.move_to_end((first, last, str(zone)))
                    return known if (first, last) == (start, end) else _cut(known, start, end)
        return None

    def _neighbours(self, around: tuple[datetime, datetime], zone: tzinfo) -> bool:
        """Whether other days of this stretch are remembered: whoever asks for two asks for more."""
        with self._lock:
            return any(
                around[0] <= first and last <= around[1] and name == str(zone) for first, last, name in self._windows
            )


def _stretch(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The weeks around some days, in steps that all questions share; long or far-off questions stay as they are."""
    if end - start > STRETCH or not 1900 < start.year < 9000:
        return start, end
    first = _MONDAY + (start - _MONDAY) // STRETCH * STRETCH
    return first, _MONDAY - (_MONDAY - end) // STRETCH * STRETCH


def _touches(event: Event, start: datetime, end: datetime) -> bool:
    """Whether an event is in [start, end); one of no length is where it starts."""
    return event.start < end and (event.end > start or event.start >= start)


def _cut(days: Days, start: datetime, end: datetime) -> Days:
    return msgspec.structs.replace(days, events=tuple(one for one in days.events if _touches(one, start, end)))


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
            if _touches(event, start, end):
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
