"""Where the entries of an agenda take the user: the places they name, and the journeys that are entries themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from pea.agents._agenda import Entry
from pea.workspace.places import Place, distance_km, find, place_at

AWAY_KM = 60  # beyond this from home, an entry without a place is not taken to be at the office
OFFICE = "office"  # the site of every entry whose location nobody can place

_ARROW = r"(?:→|->|=>|>)"
_ROUTE = re.compile(rf"(?P<start>[^→>]{{2,60}}?)\s*{_ARROW}\s*(?P<end>[^→>,(]{{2,60}})")
_WORDS = re.compile(
    r"\b(?:flight|flug|vol|train|zug|ice|ic|ec|tgv|eurostar|railjet|nightjet|bus|coach|ferry|taxi|transfer|drive)\b",
    re.IGNORECASE,
)
_FLIGHT = re.compile(r"\b(?:flight|flug|vol)\b|\b[A-Z0-9]{2} ?\d{2,4}\b")
_TO = re.compile(
    r"\b(?:from|von)\s+(?P<start>.{2,40}?)\s+(?:to|nach)\s+(?P<end>.{2,40})$|\b(?:to|nach)\s+(?P<only>.{2,40})$"
)
_CODE_PAIR = re.compile(r"\b(?P<start>[A-Z]{3})\s?[-\u2013/]\s?(?P<end>[A-Z]{3})\b")


class Stop(msgspec.Struct, frozen=True):
    """An entry and where it is: it starts at ``place`` and ends at ``arrival`` (the same but for a journey).

    ``site`` tells two addresses in one city apart; ``journey`` is the kind of an entry that is itself travel.
    """

    entry: Entry
    place: Place
    arrival: Place
    site: str
    journey: Literal["", "flight", "ground"] = ""


def stops_of(entries: Iterable[Entry], home: Place | None, country: str) -> tuple[Stop, ...]:
    """The timed entries that are somewhere, by start; links, telephones and what takes no time are nowhere.

    An entry with a location nobody can place (``Room 4``) is at home's, the office's city, as long as the last journey
    before it does not leave the user elsewhere. Entries without any location are left out.
    """
    stops: list[Stop] = []
    here = home
    for entry in sorted((e for e in entries if not e.all_day), key=lambda e: e.start):
        route = _route(entry, country)
        if route is not None:
            start, end, kind = route
            stops.append(Stop(entry, start, end, "", kind))
            here = end
            continue
        if entry.is_online or not entry.location or not entry.busy:
            continue
        place = _place(entry, country, here)
        if place is not None:
            stops.append(Stop(entry, place, place, " ".join(entry.location.casefold().split())))
        elif here is not None and home is not None and near(here, home):
            stops.append(Stop(entry, home, home, OFFICE))
    return tuple(stops)


def near(a: Place, b: Place) -> bool:
    """Whether somebody at ``a`` is at home at ``b``."""
    return distance_km(a.point, b.point) <= AWAY_KM


def _place(entry: Entry, country: str, here: Place | None) -> Place | None:
    named = find(entry.location, country=country, near=None if here is None else here.point)
    if named is not None:
        return named
    return None if entry.geo is None else place_at(entry.geo)


def _route(entry: Entry, country: str) -> tuple[Place, Place, Literal["flight", "ground"]] | None:
    """From where to where an entry goes, when its title says so: ``Flight XA 418 BER → ZRH``, ``Train to Hamburg``."""
    travels = _WORDS.search(entry.title) is not None
    flies = travels and _FLIGHT.search(entry.title) is not None and "train" not in entry.title.casefold()
    match = _ROUTE.search(entry.title) or (
        _CODE_PAIR.search(entry.title) or _TO.search(entry.title) if travels else None
    )
    if match is None:
        return None
    groups = match.groupdict()
    end = endpoint(groups.get("end") or groups.get("only") or "", country)
    start = endpoint(groups.get("start") or "", country) or _place(entry, country, None)
    if start is None or end is None:
        return None
    flies = flies or (start.kind == "airport" and end.kind == "airport")
    return start, end, "flight" if flies else "ground"


def endpoint(text: str, country: str) -> Place | None:
    """The place at one end of a route, whose name may have other words before or after it."""
    words = text.strip().split()
    for length in range(min(len(words), 4), 0, -1):
        for part in (" ".join(words[-length:]), " ".join(words[:length])):
            place = find(part, country=country)
            if place is not None:
                return place
    return None
