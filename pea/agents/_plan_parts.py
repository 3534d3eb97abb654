"""The parts of a week, of a meeting and of the risks ahead, made of what the other agents found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from pea import Outcome
from pea.agents import _briefing_papers as papers
from pea.agents import _briefing_words as words
from pea.agents._plan_text import part
from pea.agents._plan_views import Entry, Part, Point
from pea.agents._travel_papers import UNKNOWN

Found = Mapping[str, Outcome[Any]]

HARM, COST, ANNOY = 3, 2, 1
GUESTS_SHOWN = 8
NOTICE_DAYS = 30
ENDING = frozenset(("last notice", "renews", "ends"))


def value(found: Found, name: str) -> Any:
    """What a part came out as, or None."""
    outcome = found.get(name)
    return outcome.value if outcome is not None and outcome.ok else None


def week_headline(found: Found, monday: date) -> str:
    """The week in one sentence."""
    agenda, conflicts, mail = (value(found, name) for name in ("the_calendar", "conflicts", "mail"))
    said = [f"week of {monday.day} {monday:%B %Y}"]
    if agenda is not None:
        timed = [e for e in agenda.entries if not e.all_day]
        said.append(f"{words.count(len(timed), 'appointment')}, {_hours(timed):.0f} h in meetings with others")
    if conflicts is not None:
        said.append(words.count(len(conflicts.conflicts) + conflicts.more, "conflict"))
    if mail is not None:
        said.append(words.count(mail.waiting, "message") + " to answer")
    return ", ".join(said)


def _hours(entries: list[Entry]) -> float:
    return sum((e.end.timestamp() - e.start.timestamp()) / 3600 for e in entries if e.others and e.busy)


def week(found: Found, monday: date, now: datetime) -> Iterator[Part]:
    """The days' load, what clashes, what is due, the ways and papers, contracts and payments."""
    sunday = monday + timedelta(days=6)
    agenda, conflicts, travel = (value(found, name) for name in ("the_calendar", "conflicts", "travel"))
    if agenda is not None:
        yield part("days", "The days", _days(agenda.entries, monday, now))
    if conflicts is not None:
        severe = [c for c in conflicts.conflicts if c.severity != "low"]
        yield part("conflicts", "Conflicts", (Point(c.reason, c.start, advice=c.advice) for c in severe))
    yield part("due", "Due this week", sorted(_due(found, sunday, now), key=lambda p: (p.when or now, p.what)))
    if travel is not None:
        booked = (leg for leg in travel.legs if leg.booked)
        yield part("travel", "Journeys", (Point(leg.what, leg.leave_by, because=leg.warnings) for leg in booked))
    bad = _bad(value(found, "papers"))
    yield part("papers", "Papers to see to", (Point(v.country, _at(v.first, now), because=v.findings) for v in bad))
    payments = getattr(value(found, "payments"), "subscriptions", ())
    due = sorted((p for p in payments if monday <= p.next <= sunday), key=lambda p: p.next)
    yield part("payments", "Payments", (Point(f"{p.payee}: {p.amount} {p.currency}", _at(p.next, now)) for p in due))


def _days(entries: tuple[Entry, ...], monday: date, now: datetime) -> Iterator[Point]:
    for number in range(7):
        day = monday + timedelta(days=number)
        timed = [e for e in entries if e.first_day == day and not e.all_day]
        whole = [e.title for e in entries if e.first_day == day and e.all_day]
        if not timed and not whole:
            continue
        span = f", {timed[0].start:%H:%M} to {max(e.end for e in timed):%H:%M}" if timed else ""
        told = f"{words.count(len(timed), 'appointment')}{span}, {_hours(timed):.1f} h with others"
        yield Point(told, _at(day, now), because=(words.both(whole),) if whole else ())


def _due(found: Found, last: date, now: datetime) -> Iterator[Point]:
    mail, promises = value(found, "mail"), value(found, "promises")
    for item in mail.answer if mail is not None else ():
        if item.due is not None and item.due <= last:
            late = "overdue: " if item.due < now.date() else ""
            yield Point(f"{late}answer {item.sender}: {item.subject}", _at(item.due, now), because=item.asks[:1])
    for one in promises.mine if promises is not None else ():
        if one.due is not None and one.due <= last:
            to = words.both(one.to[:3]) or "them"
            late = "late: " if one.late else ""
            yield Point(f"{late}you promised {to}", _at(one.due, now), because=(f"\u201c{one.said}\u201d",))
    for day in getattr(value(found, "contracts"), "days", ()):
        if day.day <= last + timedelta(days=21):
            yield Point(f"{day.title}: {day.kind}", _at(day.day, now), because=(day.quote,) if day.quote else ())


def meeting_headline(entry: Entry, now: datetime) -> str:
    """The meeting in one sentence."""
    at = entry.start.astimezone(now.tzinfo)
    where = f", {entry.location}" if entry.location else ", online" if entry.is_online else ""
    name = words.day_name(at.date(), now.date())
    others = f", with {words.count(entry.others, 'other')}" if entry.others else ""
    return f"{entry.title}: {name} {at:%H:%M}\N{EN DASH}{entry.end.astimezone(now.tzinfo):%H:%M}{where}{others}"


def meeting(entry: Entry, found: Found, asked: str, now: datetime) -> Iterator[Part]:
    """Who comes and how things stand with them, what it is about, the way there, and what clashes."""
    history = {one.email: one for one in getattr(value(found, "mail"), "people", ())}
    yield part("people", "Who", (_guest(guest, history.get(guest.email), now) for guest in entry.people[:GUESTS_SHOWN]))
    opens = [
        Point(said, because=(one.name or one.email,))
        for one in history.values()
        for said in (*(f"asked: {q}" for q in one.questions), *(f"promised: {p}" for p in one.promises))
    ]
    yield part("open", "Open between you", opens)
    search = value(found, "documents")
    if search is not None and search.hits and asked:
        about = papers.relevant(entry.title, asked, search)
        yield part(
            "documents", "Documents", (Point(p.title, because=(f"{p.path}, {p.place}", p.snippet)) for p in about)
        )
    legs = [leg for leg in getattr(value(found, "travel"), "legs", ()) if leg.what == f"To {entry.title}"]
    yield part("way", "The way there", (Point(_way(leg), leg.leave_by, because=leg.warnings) for leg in legs))
    clashes = [
        c for c in getattr(value(found, "conflicts"), "conflicts", ()) if c.start < entry.end and c.end > entry.start
    ]
    yield part("conflicts", "Conflicts", (Point(c.reason, c.start, advice=c.advice) for c in clashes))


def _way(leg: Any) -> str:
    return f"leave {leg.start_place} for {leg.end_place} ({'; '.join(leg.details)})"


def _guest(guest: Any, known: Any, now: datetime) -> Point:
    answer = {"accepted": "comes", "declined": "does not come", "tentative": "may come"}.get(guest.response, "")
    told = f"{guest.name}{f', {answer}' if answer else ''}"
    if known is None:
        return Point(told)
    because: list[str] = []
    for moment, what in ((known.last_from, "wrote to you"), (known.last_to, "heard from you")):
        if moment is not None:
            days = (now - moment).days
            ago = "today" if days <= 0 else f"{words.count(days, 'day')} ago"
            because.append(f"last {what} {ago}")
    said = ["; ".join(because) or "you have exchanged no mail"]
    return Point(told, because=(*said, *([f"lately: {'; '.join(known.subjects[:3])}"] if known.subjects else [])))


def risks(found: Found, now: datetime, days: int) -> tuple[list[Part], str]:
    """What may go wrong, the most pressing first, and how much of it there is in one sentence."""
    every = sorted(_risks(found, now, days), key=lambda p: (-p.points, p.when or now, p.what))
    high, middle = ([p for p in every if p.points >= 4], [p for p in every if p.points == 3])
    low = [p for p in every if p.points < 3]
    parts = [part("high", "Pressing", high), part("medium", "To see to", middle), part("low", "To watch", low)]
    said = f"{words.count(len(every), 'risk')} in the next {words.count(days, 'day')}, {len(high)} pressing"
    return parts, said if every else f"no risk was found in the next {words.count(days, 'day')}"


def _risks(found: Found, now: datetime, days: int) -> Iterator[Point]:
    yield from _of_the_calendar(found, now)
    yield from _of_people(found, now)
    yield from _of_papers(found, now, now.date() + timedelta(days=days))
    yield from _of_money_and_fraud(found, now)


def _of_the_calendar(found: Found, now: datetime) -> Iterator[Point]:
    harm = {"high": COST, "medium": ANNOY}
    for c in getattr(value(found, "conflicts"), "conflicts", ()):
        if c.severity in harm:
            yield _risk(c.reason, harm[c.severity], c.start, now, advice=c.advice, agent="calendar.conflicts")
    for leg in getattr(value(found, "travel"), "legs", ()):
        for warning in leg.warnings:
            told = f"{leg.what}: {warning}"
            yield _risk(told, COST if leg.booked else ANNOY, leg.leave_by, now, agent="travel.itinerary")


def _of_people(found: Found, now: datetime) -> Iterator[Point]:
    for item in getattr(value(found, "mail"), "answer", ()):
        if item.due is not None and item.due <= now.date() + timedelta(days=1):
            told = f"{item.sender} waits for an answer: {item.subject}"
            advice = "answer today" if item.due <= now.date() else "answer by tomorrow"
            when = _at(item.due, now)
            yield _risk(told, COST, when, now, *item.asks[:1], advice=advice, agent="communication.triage")
    for one in getattr(value(found, "promises"), "mine", ()):
        if one.late:
            told = f"your promise to {words.both(one.to[:3]) or 'them'} is late: {one.subject}"
            said, when = f"\u201c{one.said}\u201d", _at(one.due, now)
            yield _risk(told, COST, when, now, said, advice="keep it, or say when", agent="communication.promises")


def _of_papers(found: Found, now: datetime, until: date) -> Iterator[Point]:
    for visit in _bad(value(found, "papers")):
        told, when = f"papers for {visit.country}", _at(visit.first, now)
        yield _risk(told, HARM, when, now, *visit.findings, advice="see to it before you go", agent="travel.papers")
    soon = max(until, now.date() + timedelta(days=NOTICE_DAYS))
    for day in getattr(value(found, "contracts"), "days", ()):
        if day.kind in ENDING and (day.overdue or day.day <= soon):
            told = f"{day.title}: {day.kind}{' has passed' if day.overdue else ''}"
            said = (day.quote,) if day.quote else ()
            when = _at(day.day, now)
            yield _risk(told, HARM, when, now, *said, advice="decide before that day", agent="legal.deadlines")


def _bad(found: Any) -> list[Any]:
    """The visits whose papers are not in order; where no passport is known at all, that is a gap and no risk."""
    return [v for v in getattr(found, "visits", ()) if not v.ok and UNKNOWN not in v.findings]


def _of_money_and_fraud(found: Found, now: datetime) -> Iterator[Point]:
    for flow in getattr(value(found, "money"), "forecasts", ()):
        if flow.from_balance is not None and flow.below_zero >= 0.1:
            told = f"the balance in {flow.currency} may fall below zero ({flow.below_zero:.0%})"
            low = f"lowest {flow.lowest.low} on {flow.lowest.day:%d %b}"
            yield _risk(told, HARM, _at(flow.lowest.day, now), now, low, agent="finance.forecast")
    for mail in getattr(value(found, "phishing"), "suspicious", ()):
        if mail.verdict == "likely":
            told = f"a mail that is likely phishing: {mail.subject} ({mail.sender})"
            yield _risk(
                told, HARM, None, now, *mail.reasons[:3], advice="open nothing in it", agent="security.phishing"
            )


def _risk(
    what: str, harm: int, when: datetime | None, now: datetime, *because: str, advice: str = "", agent: str = ""
) -> Point:
    ahead = None if when is None else (when.astimezone(now.tzinfo).date() - now.date()).days
    urgency = 0 if ahead is None or ahead > 7 else 2 if ahead <= 1 else 1
    return Point(words.sentence(what), when, None, because, advice, harm + urgency, agent)


def _at(day: date, now: datetime) -> datetime:
    return datetime.combine(day, time(), now.tzinfo)
