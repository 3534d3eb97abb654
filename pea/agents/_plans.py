"""Plans made of several agents' answers: the week, a meeting, the day hour by hour, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec

from pea import Agent, Context, InputError, Outcome, capability
from pea.agents import _briefing_papers as papers
from pea.agents import _briefing_views as views
from pea.agents import _plan_day, _plan_parts, _plan_views
from pea.agents._plan_text import sheet
from pea.agents._plan_views import Sheet
from pea.errors import nearest
from pea.workspace.files import SourceReport

T = TypeVar("T")

SHARE = 0.8  # of the time that remains may be spent waiting for the others
AHEAD_DAYS = 14
PAPERS_SHOWN = 5


class Planning(Agent):
    """The capabilities that plan, for the agent that has them."""

    @capability("briefing.weekly", timeout="12s", idempotent=True)
    async def weekly(self, ctx: Context, day: date | None = None) -> Sheet:
        """The week that ``day`` lies in (this one when not given): load by day, conflicts, what is due, ways, payments.

        A part that fails or is late is listed under ``missing``.
        """
        now = ctx.now()
        wanted = now.date() if day is None else day
        monday = wanted - timedelta(days=min(wanted.weekday(), (wanted - date.min).days))
        near = ctx.within(max(0.0, SHARE * ctx.remaining_s))
        found = await ctx.gather(
            the_calendar=_ask(near, _plan_views.Agenda, "calendar.agenda", day=monday, days=7),
            conflicts=_ask(near, views.Conflicts, "calendar.conflicts", day=monday, days=7),
            mail=_ask(near, views.Triage, "communication.triage", limit=100),
            promises=_ask(near, _plan_views.Promises, "communication.promises"),
            travel=_ask(near, views.Itinerary, "travel.itinerary", day=monday, days=7),
            papers=_ask(near, _plan_views.Papers, "travel.papers", day=monday, days=28),
            contracts=_ask(near, _plan_views.ContractDays, "legal.deadlines", days=28),
            payments=_ask(near, _plan_views.Payments, "finance.subscriptions"),
        )
        parts = _plan_parts.week(found, monday, now)
        return sheet("week", _plan_parts.week_headline(found, monday), parts, found, _sources(found), now)

    @capability("prepare.meeting", timeout="12s", idempotent=True)
    async def meeting(
        self,
        ctx: Context,
        meeting: Annotated[str, msgspec.Meta(max_length=300)] = "",
        day: date | None = None,
        days: Annotated[int, msgspec.Meta(ge=1, le=90)] = AHEAD_DAYS,
    ) -> Sheet:
        """What to know before a meeting: who comes, last contact, what is open between you, documents, the way there.

        ``meeting`` is a part of its title (the next one with other people when not given), looked for from ``day``.
        """
        now = ctx.now()
        first = now.date() if day is None else day
        near = ctx.within(max(0.0, SHARE * ctx.remaining_s))
        agenda = await _ask(near, _plan_views.Agenda, "calendar.agenda", day=first, days=days)
        entry = _chosen(agenda.entries, meeting, now, days)
        emails = [guest.email for guest in entry.people if guest.email][:20]
        asked = papers.query(views.read(entry, views.Entry))
        calls: dict[str, Any] = {
            "conflicts": _ask(near, views.Conflicts, "calendar.conflicts", day=entry.first_day),
            "travel": _ask(near, views.Itinerary, "travel.itinerary", day=entry.first_day),
        }
        if emails:
            calls["mail"] = _ask(near, _plan_views.History, "communication.history", people=emails)
        if asked:
            calls["documents"] = _ask(near, views.Search, "documents.search", query=asked, limit=PAPERS_SHOWN)
        found = await ctx.gather(**calls)
        found["the_calendar"] = Outcome(agenda, None, 0.0)
        parts = _plan_parts.meeting(entry, found, asked, now)
        return sheet("meeting", _plan_parts.meeting_headline(entry, now), parts, found, _sources(found), now)

    @capability("plan.day", timeout="10s", idempotent=True)
    async def plan_day(
        self, ctx: Context, day: date | None = None, opens: str = "08:30", closes: str = "18:00"
    ) -> Sheet:
        """A day hour by hour: what stands, the ways, and when to answer what waits; what does not fit is said.

        Answers are put into free time by their deadline, then their rank, 10 minutes for each thing asked.
        """
        now = ctx.now()
        wanted = now.date() if day is None else day
        near = ctx.within(max(0.0, SHARE * ctx.remaining_s))
        found = await ctx.gather(
            the_calendar=_ask(near, _plan_views.Agenda, "calendar.agenda", day=wanted),
            free_time=_ask(
                near,
                _plan_views.Free,
                "calendar.freebusy",
                day=wanted,
                minutes=10,
                opens=opens,
                closes=closes,
                weekends=True,
            ),
            mail=_ask(near, views.Triage, "communication.triage", limit=50),
            travel=_ask(near, views.Itinerary, "travel.itinerary", day=wanted),
        )
        parts, headline = _plan_day.day_plan(found, wanted, now)
        return sheet("day", headline, parts, found, _sources(found), now)

    @capability("assess.risk", timeout="15s", idempotent=True)
    async def risk(self, ctx: Context, days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 14) -> Sheet:
        """What may go wrong in the days ahead, the most pressing first, each with its evidence and what to do.

        Points: 3 for what does harm, 2 for what costs, 1 for what annoys; 2 more when it is due within a day, 1
        within a week. Nothing is foretold that no agent has found.
        """
        now = ctx.now()
        near = ctx.within(max(0.0, SHARE * ctx.remaining_s))
        today = now.date()
        found = await ctx.gather(
            conflicts=_ask(near, views.Conflicts, "calendar.conflicts", day=today, days=days),
            mail=_ask(near, views.Triage, "communication.triage", limit=100),
            promises=_ask(near, _plan_views.Promises, "communication.promises"),
            travel=_ask(near, views.Itinerary, "travel.itinerary", day=today, days=days),
            papers=_ask(near, _plan_views.Papers, "travel.papers", day=today, days=max(days, 60)),
            contracts=_ask(near, _plan_views.ContractDays, "legal.deadlines", days=max(days, 30)),
            money=_ask(near, _plan_views.Forecast, "finance.forecast", days=days),
            phishing=_ask(near, _plan_views.Phishing, "security.phishing"),
        )
        parts, headline = _plan_parts.risks(found, now, days)
        return sheet("risk", headline, parts, found, _sources(found), now)


async def _ask(ctx: Context, view: type[T], capability: str, **arguments: Any) -> T:
    """The answer of another agent, as the little of it that a plan reads."""
    return views.read(await ctx.call(capability, **arguments), view)


def _sources(found: Mapping[str, Outcome[Any]]) -> SourceReport:
    """The files behind the parts; conflicts and ways are made of the calendars, which count once."""
    calendars = next(
        (found[n].value for n in ("the_calendar", "conflicts", "travel") if n in found and found[n].ok), None
    )
    others = [found[name].value for name in ("mail", "documents") if name in found and found[name].ok]
    reports = [getattr(value, "sources", None) for value in (calendars, *others)]
    return SourceReport().merged(*(report for report in reports if isinstance(report, SourceReport)))


def _chosen(entries: Iterable[_plan_views.Entry], wanted: str, now: datetime, days: int) -> _plan_views.Entry:
    """The meeting that is meant: the next whose title has the words. Raises InputError with the nearest title."""
    ahead = [e for e in entries if not e.all_day and e.end > now and e.response != "declined"]
    sought = wanted.casefold().split()
    if sought:
        fitting = [e for e in ahead if all(word in e.title.casefold() for word in sought)]
    else:
        fitting = [e for e in ahead if e.others]
    if fitting:
        return fitting[0]
    near = nearest(wanted, {entry.title for entry in ahead}) if wanted else None
    fix = f"did you mean {near!r}?" if near else "give a part of its title, or more days"
    what = f"no meeting like {wanted!r}" if wanted else "no meeting with other people"
    raise InputError(f"{what} in the next {days} days", where="meeting", fix=fix)
