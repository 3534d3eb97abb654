"""What the culture agent says."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from pea.workspace.files import SourceReport


class Holiday(msgspec.Struct, frozen=True):
    """A public holiday; ``weekend`` when it falls on a day that is not worked anyway."""

    day: date
    country: str
    weekday: str
    name: str
    weekend: bool = False


class BridgeDay(msgspec.Struct, frozen=True):
    """A working day that many take off, because days off lie on both its sides."""

    day: date
    country: str
    why: str


class Holidays(msgspec.Struct, frozen=True, kw_only=True):
    """Holidays of a span. ``lost`` are days on which some, but not all, work; ``by_country`` who misses how many.

    ``common_days`` counts those that are worked in every country.
    """

    since: date
    until: date
    countries: tuple[str, ...]
    holidays: tuple[Holiday, ...]
    bridges: tuple[BridgeDay, ...]
    common_days: int
    lost: tuple[date, ...]
    by_country: dict[str, int]
    notes: tuple[str, ...]
    text: str


class Forms(msgspec.Struct, frozen=True):
    """How dates, times, numbers and sums are written there, each as an example."""

    date: str
    long_date: str
    time: str
    number: str
    money: str


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A country, or one person's, before a meeting. Weekdays are English names; clocks are local.

    ``known_customs`` is false where the table has none and cautious defaults stand; ``overlap_minutes`` is how much of
    the user's hours (09:00 to 18:00) theirs share today.
    """

    person: str
    country: str
    country_name: str
    why: str
    languages: tuple[str, ...]
    currency: str
    zone: str
    local_time: datetime | None
    at_work: str
    overlap_minutes: int | None
    weekend: tuple[str, ...]
    week_begins: str
    opens: str
    closes: str
    lunch: str
    forms: Forms
    address: str
    direct: bool
    apology: str
    greeting: str
    note: str
    known_customs: bool
    next_holidays: tuple[Holiday, ...]
    sources: SourceReport
    text: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a meeting for somebody; ``severity`` is holiday, weekend, night, outside hours or lunch."""

    who: str
    email: str
    country: str
    local: str
    severity: str
    reason: str
    why_there: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting that does not suit everybody; ``better`` is the start that day that troubles fewest, if one does."""

    title: str
    start: datetime
    end: datetime
    troubles: tuple[Trouble, ...]
    better: datetime | None
    better_why: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Meetings against everybody's own days and hours. ``unplaced`` are guests of whom nothing tells where they are."""

    day: date
    days: int
    meetings: int
    checked: int
    found: tuple[Checked, ...]
    unplaced: tuple[str, ...]
    notes: tuple[str, ...]
    sources: SourceReport
    text: str


class AddressForm(msgspec.Struct, frozen=True, kw_only=True):
    """How to write to somebody: greeting, salutations and closings in a language, each form with its reason."""

    person: str
    given: str
    family: str
    title: str
    country: str
    language: str
    formal: bool
    why: str
    salutation: str
    salutation_formal: str
    closing: str
    closing_formal: str
    greeting_now: str
    you: str
    order: str
    notes: tuple[str, ...]
    text: str
