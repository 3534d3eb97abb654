"""The others' answers put together: each becomes a section, and each that did not come is named with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

import msgspec

from pea import AgentUnavailable, DeadlineExceeded, Outcome, PeaError
from pea.agents import _briefing_views as views
from pea.agents import _briefing_words as words
from pea.agents._agenda import NO_CALENDARS
from pea.agents._briefing import Answer, Briefing, Clash, Journey, Meeting, Missing, Section
from pea.agents._briefing_papers import Papers
from pea.agents._briefing_text import render
from pea.workspace.files import SourceReport

CLASHES_SHOWN = 8
ANSWERS_SHOWN = 8
MEETINGS_SHOWN = 40
LEGS_SHOWN = 12
WHY_SHOWN = 3
REASON_CHARS = 200
DAY_ENDS = time(23, 59)  # of a deadline that names a day and no hour


class Parts(msgspec.Struct, frozen=True):
    """How each part of a briefing came out."""

    conflicts: Outcome[views.Conflicts]
    triage: Outcome[views.Triage]
    travel: Outcome[views.Itinerary]
    agenda: Outcome[views.Agenda]
    documents: Outcome[Papers]


def compose(day: date, now: datetime, parts: Parts) -> Briefing:
    """The briefing for ``day`` of what came in until ``now``."""
    sections = [section for section in _sections(parts, now) if section.items or section.notes]
    briefing = Briefing(
        date=day,
        headline=headline(parts, day, now),
        sections=tuple(sections),
        missing=missing(parts),
        sources=sources(parts),
        text="",
    )
    return msgspec.structs.replace(briefing, text=render(briefing, now))


def _sections(parts: Parts, now: datetime) -> Iterator[Section]:
    """Most important first: what must be changed, who waits, when to leave, then the day and its papers."""
    if parts.conflicts.value is not None:
        yield clashes(parts.conflicts.value)
    if parts.triage.value is not None:
        yield answers(parts.triage.value, now)
    if parts.travel.value is not None:
        yield travel(parts.travel.value)
    if parts.agenda.value is not None:
        yield meetings(parts.agenda.value)
    if parts.documents.value is not None:
        yield documents(parts.documents.value)


def missing(parts: Parts) -> tuple[Missing, ...]:
    """The parts that did not come; those that one and the same thing kept away stand together."""
    kept: dict[str, list[str]] = {}
    for name, outcome in _named(parts):
        if outcome.error is not None:
            kept.setdefault(why(outcome.error), []).append(name)
    if parts.agenda.value is not None and parts.agenda.value.sources.nothing:
        kept.setdefault(NO_CALENDARS, []).append("the calendar")
    papers = parts.documents.value
    if papers is not None and papers.error is not None:
        name = f"documents for {words.count(papers.failed, 'meeting')}"
        kept.setdefault(why(papers.error), []).append(name)
    return tuple(Missing(words.sentence(words.both(names)), reason) for reason, names in kept.items())


def _named(parts: Parts) -> Iterator[tuple[str, Outcome[Any]]]:
    yield "conflicts", parts.conflicts
    yield "mail", parts.triage
    yield "travel", parts.travel
    yield "the calendar", parts.agenda
    yield "documents", parts.documents


def why(error: Exception) -> str:
    """What kept a part away, in plain words."""
    if isinstance(error, DeadlineExceeded):
        return "not ready in time"
    if isinstance(error, AgentUnavailable):
        return words.cut(error.what, REASON_CHARS)
    if isinstance(error, PeaError):
        return words.cut(f"{error.what} ({error.fix})" if error.fix else error.what, REASON_CHARS)
    return words.cut(f"it failed with {type(error).__name__}: {error}", REASON_CHARS)


def sources(parts: Parts) -> SourceReport:
    """The files behind all parts; agenda, conflicts and travel read the same calendars, which count once.

    Each part keeps the names it gives (50 at most), so that many bad files in one folder do not hide another's.
    """
    calendars = parts.agenda.value or parts.conflicts.value or parts.travel.value
    values = (calendars, parts.triage.value, parts.documents.value)
    reports = [value.sources for value in values if value is not None and value.sources is not None]
    unclear = parts.agenda.value.notes if parts.agenda.value is not None else ()
    whole = SourceReport().merged(*reports)
    return msgspec.structs.replace(
        whole,
        refused=tuple(refused for report in reports for refused in report.refused),
        notes=(*(note for report in reports for note in report.notes), *unclear),
        notes_count=whole.notes_count + len(unclear),
    )


def headline(parts: Parts, day: date, now: datetime) -> str:
    """The day in one sentence, of the parts that came."""
    said = [*_of_the_day(parts.agenda.value, day, now), *_of_trouble(parts.conflicts.value)]
    said += [*_of_mail(parts.triage.value, now), *_of_travel(parts.travel.value, now)]
    return words.sentence(", ".join(said) or "nothing could be found out; the reasons stand below") + "."


def _of_the_day(agenda: views.Agenda | None, day: date, now: datetime) -> Iterator[str]:
    if agenda is None or agenda.sources.nothing:
        return
    timed = [entry for entry in agenda.entries if not entry.all_day]
    if not timed:
        yield "no appointments"
        return
    first, last = min(entry.start for entry in timed), max(entry.end for entry in timed)
    within = first.astimezone(now.tzinfo).date() == day == last.astimezone(now.tzinfo).date()
    hours = f" from {words.clock(first, now.tzinfo)} to {words.clock(last, now.tzinfo)}" if within else ""
    yield words.count(len(timed), "appointment") + hours


def _of_trouble(conflicts: views.Conflicts | None) -> Iterator[str]:
    if conflicts is not None and not conflicts.sources.nothing:
        found = len(conflicts.conflicts) + conflicts.more
        yield words.count(found, "conflict") if found else "no conflicts"


def _of_mail(triage: views.Triage | None, now: datetime) -> Iterator[str]:
    if triage is None:
        return
    today = sum(item.due is not None and item.due <= now.date() for item in triage.answer)
    due = f" ({today} due today)" if today else ""
    yield words.count(triage.waiting, "message") + f" to answer{due}" if triage.waiting else "no messages to answer"


def _of_travel(itinerary: views.Itinerary | None, now: datetime) -> Iterator[str]:
    booked = next((leg for leg in itinerary.legs if leg.booked), None) if itinerary is not None else None
    if booked is not None:
        yield f"leave for {booked.start_place} by {words.clock(booked.leave_by, now.tzinfo)}"


def answers(triage: views.Triage, now: datetime) -> Section:
    """The messages that wait longest or press most, in the order of their rank."""
    shown = triage.answer[:ANSWERS_SHOWN]
    items = tuple(_answer(item, now) for item in shown)
    return Section(
        "answers", "To answer" if items else "Mail", items, max(0, triage.waiting - len(shown)), triage.notes
    )


def _answer(item: views.Waiting, now: datetime) -> Answer:
    due = None if item.due is None else datetime.combine(item.due, _hour(item.due_at), now.tzinfo)
    # The day it is due stands on the left already; what has no points is a remark to be careful about.
    said = f"{due:%a %d %b}" if due is not None and due >= now else None
    weighed = [reason.why for reason in item.reasons if reason.points > 0 and not (said and said in reason.why)]
    remarks = [reason.why for reason in item.reasons if reason.points == 0]
    return Answer(
        sender=item.sender,
        subject=item.subject,
        asks=item.asks[0] if item.asks else "",
        due=due,
        reasons=tuple(weighed[:WHY_SHOWN]),
        remarks=tuple(remarks),
        message_id=item.message_id,
    )


def _hour(due_at: str) -> time:
    try:
        return time.fromisoformat(due_at).replace(tzinfo=None)
    except ValueError:  # no hour is named
        return DAY_ENDS


def meetings(agenda: views.Agenda) -> Section:
    """The day's calendar."""
    shown = tuple(_meeting(entry) for entry in agenda.entries[:MEETINGS_SHOWN])
    return Section("day", "The day", shown, len(agenda.entries) - len(shown))


def _meeting(entry: views.Entry) -> Meeting:
    return Meeting(
        title=entry.title,
        start=entry.start,
        end=entry.end,
        all_day=entry.all_day,
        place=entry.location,
        online=entry.is_online,
        others=entry.others,
        answer="tentative" if entry.status == "tentative" else entry.response,
        elsewhere="" if entry.all_day else words.elsewhere(entry.start, entry.zone),
    )


def clashes(conflicts: views.Conflicts) -> Section:
    """What cannot be done as planned, the worst first."""
    shown = conflicts.conflicts[:CLASHES_SHOWN]
    items = tuple(Clash(c.start, c.end, words.sentence(c.reason), words.sentence(c.advice), c.severity) for c in shown)
    return Section("conflicts", "Conflicts", items, conflicts.more + len(conflicts.conflicts) - len(shown))


def travel(itinerary: views.Itinerary) -> Section:
    """When to leave for where; without a leg there is nothing to warn about."""
    shown = tuple(
        Journey(
            what=leg.what,
            booked=leg.booked,
            leave_by=leg.leave_by,
            start=leg.start,
            arrive=leg.arrive,
            start_place=leg.start_place,
            end_place=leg.end_place,
            details=leg.details,
            warnings=leg.warnings,
        )
        for leg in itinerary.legs[:LEGS_SHOWN]
    )
    notes = (*(change.text for change in itinerary.zones), *itinerary.warnings) if shown else ()
    return Section("travel", "Travel", shown, len(itinerary.legs) - len(shown), notes)


def documents(found: Papers) -> Section:
    """The documents that the day's meetings are about."""
    return Section("documents", "Documents for the day", found.items)
