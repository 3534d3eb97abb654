"""What a contract says, and how it stands to a checklist, as plain values."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from pea.workspace.contracts_dates import Length

Risk = Literal["high", "medium", "low"]


class Fact(msgspec.Struct, frozen=True):
    """Something that the contract says: ``value`` in short, the sentence word for word, and where it stands."""

    value: str
    quote: str
    place: str


class Party(msgspec.Struct, frozen=True):
    """A side of the contract and what it is called in it."""

    name: str
    role: str
    place: str


class DayFact(msgspec.Struct, frozen=True):
    """A day that the contract writes."""

    day: date
    quote: str
    place: str


class LengthFact(msgspec.Struct, frozen=True):
    """A length of time that the contract writes."""

    length: Length
    quote: str
    place: str


class Contract(msgspec.Struct, frozen=True):
    """A contract's facts; what it does not say is empty. ``signs`` counts what made it be taken for a contract."""

    path: str
    title: str
    signs: int
    parties: tuple[Party, ...] = ()
    begins: DayFact | None = None
    ends: DayFact | None = None
    term: LengthFact | None = None
    renewal: LengthFact | None = None
    renews: Fact | None = None
    notice: LengthFact | None = None
    law: Fact | None = None
    courts: Fact | None = None


class ClauseFound(msgspec.Struct, frozen=True):
    """An unusual clause: its sentence and place."""

    name: str
    risk: Risk
    why: str
    quote: str
    place: str


class ClauseMissing(msgspec.Struct, frozen=True):
    """A usual clause that nothing in the document says."""

    name: str
    risk: Risk
    why: str
