"""What the orchestrator's plans answer, and the little that they read of the other agents' answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from pea.agents._briefing import Missing
from pea.workspace.files import SourceReport


class Point(msgspec.Struct, frozen=True):
    """One thing to know or to do: ``when`` it is or is due, ``because`` is the evidence, ``advice`` what to do.

    ``points`` weigh a risk; ``agent`` is the capability that found it.
    """

    what: str
    when: datetime | None = None
    until: datetime | None = None
    because: tuple[str, ...] = ()
    advice: str = ""
    points: int = 0
    agent: str = ""


class Part(msgspec.Struct, frozen=True):
    """One part of a sheet; ``kind`` is a stable word, ``more`` counts what was left out."""

    kind: str
    title: str
    points: tuple[Point, ...]
    more: int = 0


class Sheet(msgspec.Struct, frozen=True):
    """A page for a decision: its parts, what was missing from the picture and why, and which files it was made from."""

    kind: str
    headline: str
    parts: tuple[Part, ...]
    missing: tuple[Missing, ...]
    sources: SourceReport
    text: str


class Guest(msgspec.Struct, frozen=True):
    """Somebody invited."""

    name: str
    email: str = ""
    response: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the calendar."""

    title: str
    start: datetime
    end: datetime
    first_day: date
    all_day: bool = False
    busy: bool = True
    response: str = ""
    location: str = ""
    online: str = ""
    is_online: bool = False
    others: int = 0
    people: tuple[Guest, ...] = ()


class Agenda(msgspec.Struct, frozen=True):
    """What `calendar.agenda` says."""

    entries: tuple[Entry, ...]
    sources: SourceReport


class Slot(msgspec.Struct, frozen=True):
    """A stretch that is free."""

    start: datetime
    end: datetime


class Free(msgspec.Struct, frozen=True):
    """What `calendar.freebusy` says."""

    free: tuple[Slot, ...]


class Promise(msgspec.Struct, frozen=True):
    """Something promised."""

    who: str
    to: tuple[str, ...]
    said: str
    subject: str
    due: date | None
    late: bool


class Promises(msgspec.Struct, frozen=True):
    """What `communication.promises` says."""

    mine: tuple[Promise, ...]
    theirs: tuple[Promise, ...]


class Contacted(msgspec.Struct, frozen=True):
    """What `communication.history` says of one person."""

    email: str
    name: str
    last_from: datetime | None
    last_to: datetime | None
    subjects: tuple[str, ...]
    questions: tuple[str, ...]
    promises: tuple[str, ...]


class History(msgspec.Struct, frozen=True):
    """What `communication.history` says."""

    people: tuple[Contacted, ...]


class ContractDay(msgspec.Struct, frozen=True):
    """A day in a contract."""

    day: date
    kind: str
    title: str
    quote: str = ""
    overdue: bool = False


class ContractDays(msgspec.Struct, frozen=True):
    """What `legal.deadlines` says."""

    days: tuple[ContractDay, ...]


class Payment(msgspec.Struct, frozen=True):
    """A sum that comes again."""

    payee: str
    amount: Any
    currency: str
    next: date


class Payments(msgspec.Struct, frozen=True):
    """What `finance.subscriptions` says."""

    subscriptions: tuple[Payment, ...]


class Balance(msgspec.Struct, frozen=True):
    """A foreseen balance."""

    day: date
    low: Any


class CashFlow(msgspec.Struct, frozen=True):
    """One currency of `finance.forecast`; ``below_zero`` is the chance that the balance gets negative."""

    currency: str
    lowest: Balance
    below_zero: float
    from_balance: Any = None


class Forecast(msgspec.Struct, frozen=True):
    """What `finance.forecast` says."""

    forecasts: tuple[CashFlow, ...]


class Suspicion(msgspec.Struct, frozen=True):
    """A mail that looks like phishing."""

    subject: str
    sender: str
    verdict: str
    reasons: tuple[str, ...]


class Phishing(msgspec.Struct, frozen=True):
    """What `security.phishing` says."""

    suspicious: tuple[Suspicion, ...]


class Paper(msgspec.Struct, frozen=True):
    """Papers for one visit."""

    country: str
    first: date
    ok: bool
    findings: tuple[str, ...]


class Papers(msgspec.Struct, frozen=True):
    """What `travel.papers` says."""

    visits: tuple[Paper, ...]
