"""The legal agent's answers for a person: facts with the place to look them up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from pea.agents._legal_views import Comparison, ContractDay, Contracts, Deadlines, Obligations, Review
from pea.workspace.contracts_facts import Contract, DayFact, Fact, LengthFact

SHOWN = 40


def contracts(answer: Contracts) -> str:
    """Each contract with what it says."""
    lines = [f"{len(answer.contracts)} of {answer.looked_at:,} documents read like contracts:"]
    for contract in answer.contracts:
        lines += [f"{contract.title} ({contract.path})", *_facts(contract)]
    return "\n".join((*lines, *_notes(answer.notes), answer.sources.text()))


def deadlines(answer: Deadlines, today: date) -> str:
    """A line per day, the next one first."""
    lines = [f"Contracts until {answer.until:%d %b %Y}:"]
    if not answer.days:
        lines.append("  no day that matters is written or follows")
    for one in answer.days:
        lines += _day(one, today)
    return "\n".join((*lines, *_notes(answer.notes), answer.sources.text()))


def review(answer: Review) -> str:
    """Facts, then what is unusual, then what is not there."""
    lines = [f"{answer.contract.title} ({answer.contract.path})", *_facts(answer.contract)]
    for one in answer.days:
        lines += _day(one, None)
    lines.append("Unusual:" if answer.unusual else "Nothing unusual by the checklist.")
    for found in answer.unusual:
        lines.append(f"  {found.risk:6} {found.name}: {found.why} [{found.place}]")
        lines.append(f"         “{_cut(found.quote)}”")
    if answer.missing:
        lines.append("Usual, and not found:")
        lines += [f"  {one.risk:6} {one.name}: {one.why}" for one in answer.missing]
    return "\n".join((*lines, *_notes(answer.notes)))


def obligations(answer: Obligations) -> str:
    """A line per duty and right."""
    lines = [f"{len(answer.obligations)} duties and rights in {answer.path}:"]
    for one in answer.obligations[:SHOWN]:
        within = f" ({one.within})" if one.within else ""
        lines.append(f"  {one.kind:5} {one.who}{within}: “{_cut(one.quote)}” [{one.place}]")
    return "\n".join((*lines, *_notes(answer.notes)))


def comparison(answer: Comparison) -> str:
    """Facts that differ, then sentences."""
    lines = [f"{answer.first} → {answer.second}: {len(answer.changes)} differences, {answer.same} sentences alike"]
    lines += [f"  {fact}" for fact in answer.facts]
    for one in answer.changes[:SHOWN]:
        place = " → ".join(filter(None, (one.before_place, one.after_place)))
        lines.append(f"  {one.kind} [{place}]")
        lines += [f"    {mark} {_cut(said)}" for mark, said in (("-", one.before), ("+", one.after)) if said]
    return "\n".join((*lines, *_notes(answer.notes)))


def value(fact: DayFact | LengthFact | Fact | None) -> str:
    """A fact in short; nothing when the contract does not say it."""
    match fact:
        case DayFact():
            return f"{fact.day:%d %b %Y}"
        case LengthFact():
            return fact.length.written
        case Fact():
            return fact.value
        case _:
            return ""


def _facts(contract: Contract) -> Iterator[str]:
    if contract.parties:
        named = "; ".join(f"{one.name} ({one.role})" if one.role else one.name for one in contract.parties)
        yield f"  parties: {named} [{contract.parties[0].place}]"
    for name in ("begins", "ends", "term", "renews", "renewal", "notice", "law", "courts"):
        fact = getattr(contract, name)
        if fact is not None:
            yield f"  {name}: {value(fact)} [{fact.place}]"


def _day(one: ContractDay, today: date | None) -> Iterator[str]:
    ahead = f" (in {(one.day - today).days} days)" if today is not None and one.day >= today else ""
    late = " (has passed)" if one.overdue else ""
    yield f"  {one.day:%d %b %Y}{ahead}{late}  {one.kind}: {one.title} · {one.path}, {one.place}"
    if one.worked_out:
        yield f"      {one.worked_out}"


def _cut(quote: str) -> str:
    return quote if len(quote) <= 180 else quote[:179] + "…"


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"Note: {note}." for note in notes]
