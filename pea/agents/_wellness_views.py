"""What the wellness agent says."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from pea.workspace.files import SourceReport

Direction = Literal["lighter", "steady", "heavier", "too little to tell"]
Kind = Literal["focus", "shorten", "lunch", "evening", "decline"]


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of time, in the user's zone."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        """How long it is, in time that passes: a clock change does not count."""
        return round((self.end.timestamp() - self.start.timestamp()) / 60)


class Chain(msgspec.Struct, frozen=True):
    """Meetings with less than ten minutes between them."""

    start: datetime
    end: datetime
    meetings: int
    titles: tuple[str, ...]


class DayLoad(msgspec.Struct, frozen=True, kw_only=True):
    """One day. Minutes count overlapping meetings once; ``focus`` are free stretches of 90 minutes within hours.

    ``rest_h`` is from the end of the last thing of the day before (a meeting or a mail sent) to the first of this day;
    None when either did nothing. ``off`` says why it is no working day.
    """

    day: date
    off: str
    meetings: int
    meeting_minutes: int
    after_hours_minutes: int
    chains: tuple[Chain, ...]
    focus: tuple[Stretch, ...]
    focus_minutes: int
    lunch_minutes: int
    rest_h: float | None
    mails_after_hours: int
    flags: tuple[str, ...]


class WeekLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Seven days from a Monday. ``share`` is meeting minutes within hours, of the working time of working days."""

    monday: date
    days: tuple[DayLoad, ...]
    meetings: int
    meeting_hours: float
    share: float
    focus_hours: float
    after_hours: float
    longest_chain: Chain | None
    days_without_lunch: int
    short_rests: int
    mails_after_hours: int
    flags: tuple[str, ...]


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """A week's load beside the median of the user's own weeks before it."""

    week: WeekLoad
    usual: dict[str, float]
    compared_with: int
    thresholds: dict[str, str]
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over weeks: the slope by Theil and Sen per week, and how this week stands to the median."""

    name: str
    values: tuple[float, ...]
    median: float
    per_week: float
    direction: Direction
    why: str


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How the load develops over the user's own weeks, the earliest first; the last is the one that runs."""

    weeks: tuple[date, ...]
    lines: tuple[Line, ...]
    method: str
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """What to change, with the effect: ``minutes`` gained of focus or break; ``how`` says how it was reckoned."""

    kind: Kind
    what: str
    day: date
    start: datetime | None
    minutes: int
    effect: str
    how: str


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What would help, the greatest effect first; nothing is changed."""

    first: date
    days: int
    suggestions: tuple[Suggestion, ...]
    focus_hours: float
    focus_hours_after: float
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class AfterHours(msgspec.Struct, frozen=True, kw_only=True):
    """Work outside hours over some weeks: mails sent and meetings, by weekday and hour of the user's own clock."""

    since: date
    until: date
    mails_sent: int
    mails_after_hours: int
    share: float | None
    meeting_minutes: int
    by_weekday: dict[str, int]
    by_hour: dict[str, int]
    latest: tuple[str, ...]
    weekends_worked: int
    trend: Direction
    notes: tuple[str, ...]
    sources: SourceReport
    text: str
