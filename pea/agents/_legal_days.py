"""The days of a contract: those that are written, and those that follow from its term, renewal and notice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from pea.agents._legal_views import ContractDay
from pea.workspace.contracts_dates import Length, last_notice_day, later, term_end
from pea.workspace.contracts_facts import Contract, LengthFact

MAX_RENEWALS = 200
_YEARLY = re.compile(
    r"\bat the end of (?:a|an|each|any|every|the) (?:contract |calendar |financial |business )?year\b|"
    r"zum (?:ende (?:des|eines) )?(?:kalender|vertrags)?jahres",
    re.IGNORECASE,
)


def contract_days(contract: Contract, today: date) -> list[ContractDay]:
    """Every day that matters from today on, and a notice that was missed for the running term."""
    return sorted(_days(contract, today), key=lambda one: (one.day, one.kind))


def _days(contract: Contract, today: date) -> Iterator[ContractDay]:
    if contract.begins is not None and contract.begins.day >= today:
        yield _day(contract, contract.begins.day, "begins", "", contract.begins.quote, contract.begins.place)
    ends, how, fact = _end(contract)
    if ends is None:
        return
    running, renewals = _running_end(contract, ends, today)
    if running is None:
        return
    if renewals:
        how = f"{how}; renewed {renewals} × {_written(contract.renewal)}"  # noqa: RUF001 - a times sign
    renews = contract.renews is not None and contract.renews.value == "yes"
    yield _day(contract, running, "ends", how, *fact)
    if renews and contract.renews is not None:
        begins = running + timedelta(days=1)
        said = "unless notice is given in time"
        yield _day(contract, begins, "renews", said, contract.renews.quote, contract.renews.place)
    if contract.notice is not None:
        yield from _notices(contract, contract.notice, running, today)


def _notices(contract: Contract, notice: LengthFact, running: date, today: date) -> Iterator[ContractDay]:
    """The last day to give notice to the end of the running term, and to the year's end where that is allowed."""
    ends = [running]
    yearly = _YEARLY.search(notice.quote)
    if yearly is not None and contract.begins is not None:
        year = Length(1, "year", "one year")
        anniversaries = (term_end(later(contract.begins.day, year, n), year) for n in range(MAX_RENEWALS))
        first = next((day for day in anniversaries if last_notice_day(day, notice.length) >= today), None)
        if first is not None and first < running:
            ends.insert(0, first)
    for end in ends:
        day = last_notice_day(end, notice.length)
        told = f"{notice.length.written} before the end on {end:%d %b %Y}; it must have arrived by then"
        yield _day(contract, day, "last notice", told, notice.quote, notice.place, overdue=day < today)


def _end(contract: Contract) -> tuple[date | None, str, tuple[str, str]]:
    """The end of the first term, how it is known, and from which sentence."""
    if contract.ends is not None:
        return contract.ends.day, "", (contract.ends.quote, contract.ends.place)
    if contract.begins is not None and contract.term is not None:
        end = term_end(contract.begins.day, contract.term.length)
        how = f"{contract.term.length.written} from {contract.begins.day:%d %b %Y}"
        return end, how, (contract.term.quote, contract.term.place)
    return None, "", ("", "")


def _running_end(contract: Contract, ends: date, today: date) -> tuple[date | None, int]:
    """The end of the term that runs today, and how many renewals led to it; None when it ended for good."""
    if ends >= today:
        return ends, 0
    if contract.renewal is None or contract.renews is None or contract.renews.value != "yes":
        return None, 0
    begins = ends + timedelta(days=1)
    for count in range(1, MAX_RENEWALS):
        running = later(begins, contract.renewal.length, count) - timedelta(days=1)
        if running >= today:
            return running, count
    return None, 0


def _written(fact: LengthFact | None) -> str:
    return fact.length.written if fact is not None else ""


def _day(
    contract: Contract, day: date, kind: str, worked_out: str, quote: str, place: str, *, overdue: bool = False
) -> ContractDay:
    others = ", ".join(party.name for party in contract.parties)
    return ContractDay(day, kind, contract.path, contract.title, others, worked_out, quote, place, overdue)  # type: ignore[arg-type]
