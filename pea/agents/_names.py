"""A person's name in its parts, in the order of their country."""

from __future__ import annotations

import msgspec

from pea.workspace.places_table import words

_TITLES = words(
    "dr prof professor mr mrs ms miss mx sir dame lord lady herr frau mag ing dipl-ing phd md m mme mlle sr sra "
    "srta don doña dott dottssa eng rev hon"
)
_PARTICLES = words(
    "von van de der den zu zum zur vom da di del della du la le al el bin ibn ben ter ten dos das do af av"
)


class Name(msgspec.Struct, frozen=True):
    """A whole name as its owner's country writes it, and its parts; a single name is both parts."""

    full: str
    given: str
    family: str
    title: str = ""


def split_name(text: str, *, family_first: bool = False) -> Name:
    """The parts of a name as it stands in an address book; nothing is guessed about gender.

    ``family_first`` is the order of the owner's country. Address books that are kept in the West often turn such a
    name round, and nothing in it tells: a name with a comma is taken as ``family, given``, all others as they stand.
    """
    whole = " ".join(text.split())[:300]
    head, comma, tail = whole.strip(", ").partition(",")
    if comma and tail.strip() and tail.strip().casefold().rstrip(".") not in _TITLES | {"jr", "phd", "md", "mba"}:
        parts, family_first = (*tail.split(), *head.split()), False
        titles, rest = _titles(parts)
        family = head.strip()
        given = " ".join(rest[: len(rest) - len(head.split())]) or family
        return Name(f"{given} {family}".strip(), given, family, titles)
    titles, rest = _titles(tuple(head.split()))
    if len(rest) < 2:
        one = " ".join(rest) or whole
        return Name(one, one, one, titles)
    if family_first:
        return Name(" ".join(rest), " ".join(rest[1:]), rest[0], titles)
    cut = len(rest) - 1
    while cut > 1 and rest[cut - 1].casefold() in _PARTICLES:
        cut -= 1
    return Name(" ".join(rest), " ".join(rest[:cut]).split()[0], " ".join(rest[cut:]), titles)


def _titles(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    at = 0
    while at < len(parts) - 1 and parts[at].casefold().rstrip(".") in _TITLES:
        at += 1
    return " ".join(parts[:at]), parts[at:]
