"""Whether passports and visas last for the journeys in the calendar; what entry rules are, PEA does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from pea.workspace.profile import Passport, Profile, Visa

UNKNOWN = "no passport is known"
SIX_MONTHS, THREE_MONTHS, SOON_DAYS = timedelta(days=183), timedelta(days=92), timedelta(days=270)
# Countries whose citizens travel among them with a valid passport or identity card: the European Union, the European
# Economic Area and Switzerland (Directive 2004/38/EC, and the Swiss agreement of 1999).
FREE = frozenset(
    (
        "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT",
        "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    )
)  # fmt: skip
SCHENGEN = FREE - {"CY", "IE"}


class Visit(msgspec.Struct, frozen=True):
    """A stay in a country, days inclusive, and the entries that say so."""

    country: str
    first: date
    last: date
    because: str


class Paper(msgspec.Struct, frozen=True):
    """What is to be known about papers for one visit; ``ok`` is false when something has to be done."""

    country: str
    first: date
    last: date
    because: str
    ok: bool
    findings: tuple[str, ...]


class Papers(msgspec.Struct, frozen=True):
    """The visits of some days with the papers for them, and papers that end soon."""

    day: date
    days: int
    visits: tuple[Paper, ...]
    ending: tuple[str, ...]
    notes: tuple[str, ...]
    text: str


def papers_of(visits: Iterable[Visit], profile: Profile, day: date, days: int) -> Papers:
    """Hold the profile's papers against the visits."""
    found = tuple(_paper(visit, profile) for visit in visits)
    every: list[Passport | Visa] = [*profile.passports, *profile.visas]
    ending = tuple(
        f"the {paper.kind} of {paper.country.upper()} "
        + (f"has ended on {paper.expires:%d %b %Y}" if paper.expires < day else f"ends on {paper.expires:%d %b %Y}")
        for paper in sorted(every, key=lambda p: p.expires)
        if paper.expires - day < SOON_DAYS
    )
    notes = (
        ["which visas a country asks for is not known here: ask its embassy"]
        if any(not one.ok or "visa" in " ".join(one.findings) for one in found)
        else []
    )
    if not profile.passports:
        notes.append("no passport is known: write passports into profile.yaml (docs/agents/travel.md)")
    result = Papers(day, days, found, ending, tuple(notes), "")
    return msgspec.structs.replace(result, text=_text(result))


def _paper(visit: Visit, profile: Profile) -> Paper:
    own = [p for p in profile.passports if p.country.upper() == visit.country]
    free = [p for p in profile.passports if p.country.upper() in FREE and visit.country in FREE]
    kinds: Sequence[tuple[bool, str]]
    if not profile.passports:
        kinds = ((False, UNKNOWN),)
    elif own or free:
        best = max(own or free, key=lambda p: p.expires)
        kinds = (_lasts(best.kind, best.country, best.expires, visit.last, timedelta()),)
    else:
        # What most countries ask for: six months beyond the stay, the Schengen area three.
        beyond = THREE_MONTHS if visit.country in SCHENGEN else SIX_MONTHS
        passports = [p for p in profile.passports if p.kind == "passport"]
        best = max(passports or profile.passports, key=lambda p: p.expires)
        kinds = (_lasts(best.kind, best.country, best.expires, visit.last, beyond), _visa(visit, profile))
    return Paper(
        visit.country, visit.first, visit.last, visit.because, all(ok for ok, _ in kinds), tuple(t for _, t in kinds)
    )


def _lasts(kind: str, country: str, expires: date, last: date, beyond: timedelta) -> tuple[bool, str]:
    told = f"the {kind} of {country.upper()} is valid until {expires:%d %b %Y}"
    if expires < last:
        return False, f"{told}: it ends before the journey does"
    if expires < last + beyond:
        return False, f"{told}: less than {beyond.days // 30} months beyond the journey, which many countries ask for"
    return True, told


def _visa(visit: Visit, profile: Profile) -> tuple[bool, str]:
    visas = [v for v in profile.visas if v.country.upper() == visit.country]
    if not visas:
        return True, "no visa is in the profile: find out whether one is needed"
    best = max(visas, key=lambda v: v.expires)
    if best.expires < visit.last:
        return False, f"the {best.kind} ends on {best.expires:%d %b %Y}, before the journey does"
    if best.begins is not None and best.begins > visit.first:
        return False, f"the {best.kind} is not valid before {best.begins:%d %b %Y}"
    return True, f"the {best.kind} is valid until {best.expires:%d %b %Y}"


def _text(result: Papers) -> str:
    lines: list[str] = []
    for one in result.visits:
        when = f"{one.first:%d %b}" if one.first == one.last else f"{one.first:%d %b} to {one.last:%d %b}"
        lines.append(f"{'ok' if one.ok else '! '} {one.country}, {when} ({one.because}): {'; '.join(one.findings)}")
    if not result.visits:
        lines.append("No journey abroad is in the calendar on these days.")
    return "\n".join([*lines, *(f"! {told}" for told in result.ending), *(f"Note: {note}." for note in result.notes)])
