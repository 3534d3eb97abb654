"""The user's weeks: meetings from the calendar, hours of sent mail, and the answers made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec

from pea.agents._agenda import Entry
from pea.agents._mail_views import count
from pea.agents._people import identify, is_mine
from pea.agents._wellness_advice import suggest
from pea.agents._wellness_load import LEAST_WEEKS, THRESHOLDS, Hours, Meeting, line, week_load
from pea.agents._wellness_views import AfterHours, DayLoad, Suggestions, Trend, Week
from pea.workspace.files import SourceReport
from pea.workspace.mail.store import SHARED

FIGURES = ("meeting_hours", "share", "focus_hours", "after_hours", "mails_after_hours", "days_without_lunch")
LESS_IS_MORE = frozenset({"focus_hours"})
LATEST = 5
METHOD = "each week from Monday; slope by Theil and Sen (median of all pairs), a trend from 5 % of the median a week"


class Desk:
    """Owns the mail that is read to know when the user wrote; the reader is shared with other agents."""

    def __init__(self, workspace: Path, state: Path | None, emails: Sequence[str]) -> None:
        self._place = (workspace, state)
        self._mail = SHARED.open(workspace, state)
        self._emails = tuple(emails)
        self._seen = ""
        self.sent: tuple[datetime, ...] = ()
        self.guessed = False

    def close(self) -> None:
        """Let go of the mail."""
        SHARED.release(*self._place)

    def refresh(self, budget_s: float) -> None:
        """Read what is new. Raises WorkspaceError without a workspace."""
        self._mail.refresh(budget_s=budget_s)
        if self._mail.version != self._seen:
            self._seen = self._mail.version
            me = identify(self._mail.messages, self._emails, "")
            self.guessed = me.guessed
            own = (m.date for m in self._mail.messages if m.date is not None and is_mine(m, me))
            self.sent = tuple(sorted(own))

    @property
    def version(self) -> str:
        """Changes whenever the mail does."""
        return self._mail.version

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self._mail.report()

    def notes(self) -> tuple[str, ...]:
        """What an answer has to say of its sources."""
        pending = self.report().pending
        said = [f"{pending} mail files are not read yet; ask again for a fuller answer"] if pending else []
        return (*said, *(["whose mail this is is not known: set user.emails"] if self.guessed else []))


def meetings_of(entries: Sequence[Entry]) -> list[Meeting]:
    """What takes the user's time: entries with a time, busy, neither declined nor cancelled."""
    return [
        Meeting(
            one.title,
            one.start,
            one.end,
            others=one.others,
            tentative=one.tentative,
            mine=not one.organizer or (one.response == "accepted" and one.organizer not in _names(one)),
        )
        for one in entries
        if not one.all_day and one.busy and one.end.timestamp() > one.start.timestamp()
    ]


def _names(one: Entry) -> set[str]:
    """The others by name and address: the calendar tells the user's own meeting by an organizer who is none of them."""
    return {known for person in one.people for known in (person.name, person.email)}


def week(
    monday: date, weeks_before: int, meetings: Sequence[Meeting], desk: Desk, hours: Hours, report: SourceReport
) -> Week:
    """A week beside the median of those before it that had anything in them."""
    own = week_load(monday, meetings, desk.sent, hours)
    before = [
        week_load(monday - timedelta(weeks=back), meetings, desk.sent, hours) for back in range(1, weeks_before + 1)
    ]
    lived = [one for one in before if one.meetings]
    usual = {name: round(median(float(getattr(one, name)) for one in lived), 2) for name in FIGURES} if lived else {}
    result = Week(
        week=own,
        usual=usual,
        compared_with=len(lived),
        thresholds=THRESHOLDS,
        notes=desk.notes(),
        sources=report.merged(desk.report()),
        text="",
    )
    return msgspec.structs.replace(result, text=_week_text(result))


def trend(
    monday: date, weeks: int, meetings: Sequence[Meeting], desk: Desk, hours: Hours, report: SourceReport
) -> Trend:
    """The course of each figure over the weeks up to the one given."""
    mondays = [monday - timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]
    loads = [week_load(one, meetings, desk.sent, hours) for one in mondays]
    while len(loads) > 1 and not loads[0].meetings and not loads[0].mails_after_hours:
        loads, mondays = loads[1:], mondays[1:]  # what lies before the calendar begins says nothing
    lines = tuple(
        line(
            name, [float(getattr(one, name)) for one in loads], more_is="lighter" if name in LESS_IS_MORE else "heavier"
        )
        for name in FIGURES
    )
    notes = list(desk.notes())
    if len(loads) < LEAST_WEEKS:
        notes.append(f"{count(len(loads), 'week')} of the calendar: at least {LEAST_WEEKS} are needed to tell a trend")
    if len(loads) < weeks:
        notes.append(f"the calendar begins in the week of {mondays[0]:%d %b %Y}")
    text = [f"Weeks of {mondays[0]:%d %b} to {mondays[-1]:%d %b %Y}"]
    for one in lines:
        shown = "  ".join(f"{value:g}" for value in one.values)
        text.append(f"  {one.name.replace('_', ' '):<20}{one.direction:<9}{one.why}\n{'':<31}{shown}")
    return Trend(
        weeks=tuple(mondays),
        lines=lines,
        method=METHOD,
        notes=tuple(notes),
        sources=report.merged(desk.report()),
        text="\n".join([*text, METHOD, *notes]),
    )


def suggestions(
    first: date, days: int, meetings: Sequence[Meeting], desk: Desk, hours: Hours, now: datetime, report: SourceReport
) -> Suggestions:
    """What would lighten the days from ``first``."""
    found, before, after = suggest(first, days, meetings, hours, now)
    lines = [
        f"{before:.1f} hours of focus time, {after:.1f} with what can be moved." if found else "Nothing to change."
    ]
    lines += [f"  {one.day:%a %d %b}  {one.what}\n               {one.effect} ({one.how})" for one in found]
    notes = desk.notes()
    return Suggestions(
        first=first,
        days=days,
        suggestions=tuple(found),
        focus_hours=before,
        focus_hours_after=after,
        notes=notes,
        sources=report.merged(desk.report()),
        text="\n".join([*lines, *notes]),
    )


def after_hours(
    since: date, until: date, meetings: Sequence[Meeting], desk: Desk, hours: Hours, report: SourceReport
) -> AfterHours:
    """Mails sent and meetings held outside hours, by the user's own clock."""
    zone = hours.zone
    sent = [local for one in desk.sent if since <= (local := one.astimezone(zone)).date() <= until]
    late = [one for one in sent if not hours.within(one)]
    weekdays, clock = Counter(f"{one:%A}" for one in late), Counter(f"{one:%H}" for one in late)
    monday = since - timedelta(days=since.weekday())
    mondays = [monday + timedelta(weeks=n) for n in range((until - monday).days // 7 + 1)]
    loads = [week_load(monday, meetings, desk.sent, hours) for monday in mondays]
    whole = [one for one in loads if one.days[-1].day <= until]  # the week that runs would look lighter than it is
    weekends = {one.isocalendar()[:2] for one in (mail.date() for mail in late) if hours.day_off(one)}
    course = line("mails", [float(one.mails_after_hours) for one in whole])
    by_clock = sorted(late, key=lambda one: ((one.hour - 5) % 24, one.minute), reverse=True)  # a day ends at five
    shown = tuple(f"{one:%a %d %b %H:%M}" for one in by_clock[:LATEST])
    notes = list(desk.notes())
    if not sent:
        notes.append("no mail that you sent was found: the sent folder has to be in the workspace")
    share = len(late) / len(sent) if sent else None
    minutes = sum(day.after_hours_minutes for one in loads for day in one.days if since <= day.day <= until)
    lines = [
        f"{len(late)} of {count(len(sent), 'mail')} sent outside of hours"
        + (f" ({share:.0%})" if share is not None else "")
        + f"; {minutes / 60:.1f} hours of meetings; {count(len(weekends), 'weekend')} or holidays with work."
    ]
    lines += [f"  {day:<11}{number}" for day, number in weekdays.most_common()]
    lines += [f"  latest     {one}" for one in shown]
    lines.append(f"  trend      {course.direction}: {course.why}")
    return AfterHours(
        since=since,
        until=until,
        mails_sent=len(sent),
        mails_after_hours=len(late),
        share=None if share is None else round(share, 4),
        meeting_minutes=minutes,
        by_weekday=dict(weekdays),
        by_hour=dict(sorted(clock.items())),
        latest=shown,
        weekends_worked=len(weekends),
        trend=course.direction,
        notes=tuple(notes),
        sources=report.merged(desk.report()),
        text="\n".join([*lines, *notes]),
    )


def _week_text(result: Week) -> str:
    own = result.week
    lines = [f"Week of {own.monday:%d %b %Y}: {own.meetings} meetings, {own.meeting_hours:.1f} hours"]
    for name in FIGURES:
        value = float(getattr(own, name))
        shown = f"{value:.0%}" if name == "share" else f"{value:g}"
        usual = result.usual.get(name)
        beside = "" if usual is None else f"  (usual {usual:.0%})" if name == "share" else f"  (usual {usual:g})"
        lines.append(f"  {name.replace('_', ' '):<20}{shown}{beside}")
    lines += [f"  ! {flag}" for flag in own.flags]
    for day in own.days:
        if day.meetings or day.flags:
            lines.append(_day_line(day))
            lines += [f"      ! {flag}" for flag in day.flags]
    return "\n".join([*lines, *result.notes])


def _day_line(one: DayLoad) -> str:
    focus = ", ".join(f"{stretch.start:%H:%M} to {stretch.end:%H:%M}" for stretch in one.focus)
    off = f" ({one.off})" if one.off else ""
    return (
        f"  {one.day:%a %d}{off}: {one.meetings} meetings, {one.meeting_minutes / 60:.1f} h"
        + (f", {one.after_hours_minutes} min after hours" if one.after_hours_minutes else "")
        + (f"; free {focus}" if focus else "")
    )
