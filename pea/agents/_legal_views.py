"""What the legal agent answers: facts of contracts, each with its sentence and place."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from pea.workspace.contracts_facts import ClauseFound, ClauseMissing, Contract
from pea.workspace.files_report import SourceReport


class Contracts(msgspec.Struct, frozen=True):
    """The documents that are contracts, and what each says."""

    contracts: tuple[Contract, ...]
    looked_at: int
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class ContractDay(msgspec.Struct, frozen=True):
    """A day of a contract; ``worked_out`` says from what, and is empty for a day that is written."""

    day: date
    kind: Literal["begins", "ends", "renews", "last notice"]
    path: str
    title: str
    with_whom: str
    worked_out: str
    quote: str
    place: str
    overdue: bool = False


class Deadlines(msgspec.Struct, frozen=True):
    """The days ahead in all contracts, the next one first."""

    days: tuple[ContractDay, ...]
    until: date
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Obligation(msgspec.Struct, frozen=True):
    """Who must (or may) do what: the sentence, its place, and the time it names, if any."""

    who: str
    kind: Literal["duty", "right"]
    quote: str
    place: str
    within: str = ""


class Obligations(msgspec.Struct, frozen=True):
    """What a contract obliges and entitles each side to, in its order."""

    path: str
    obligations: tuple[Obligation, ...]
    notes: tuple[str, ...]
    text: str


class Review(msgspec.Struct, frozen=True):
    """A contract held against the checklist: its facts, what is unusual, what is usual and not there."""

    contract: Contract
    days: tuple[ContractDay, ...]
    unusual: tuple[ClauseFound, ...]
    missing: tuple[ClauseMissing, ...]
    notes: tuple[str, ...]
    text: str


class Change(msgspec.Struct, frozen=True):
    """A sentence that differs: ``before`` is empty when it was added, ``after`` when it was taken out."""

    kind: Literal["changed", "added", "removed"]
    before: str
    before_place: str
    after: str
    after_place: str


class Comparison(msgspec.Struct, frozen=True):
    """Two documents side by side: the facts that differ, and the sentences."""

    first: str
    second: str
    facts: tuple[str, ...]
    changes: tuple[Change, ...]
    same: int
    notes: tuple[str, ...]
    text: str
