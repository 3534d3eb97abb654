"""Which place on Earth the location of an event names, how far apart two places are, and how long the way takes.

Offline: airports and their cities, a list of cities' centres, names of countries. A location is believed to name a
city only where a city's name stands (the end of an address, before ``airport`` or ``office``), never because a word in
it happens to be one.
"""

from __future__ import annotations

import functools
import re
from typing import Literal, NamedTuple

import msgspec

from pea.workspace.places_online import is_online
from pea.workspace.places_table import (
    Airport,
    City,
    airports,
    airports_near,
    cities,
    countries,
    distance_km,
    folded,
    states,
    words,
)

__all__ = ["Airport", "Journey", "Place", "airports_near", "distance_km", "find", "journey", "place_at"]

MAX_LOCATION = 300

_SEPARATOR = re.compile(r"[,;\n|]|\s[-\u2013\u2014·/]\s|[()]")
_CODE = re.compile(r"\b[A-Z]{3}\b")
_AIRPORT_WORDS = words("airport flughafen terminal aeroport aeropuerto aeroporto flight intl")
_AROUND = words(
    "office offices buro hq headquarters hub branch campus airport flughafen hbf hb sbb hauptbahnhof bahnhof station "
    "central city centre center messe downtown site north south east west mitte region area greater gare convention "
    "terminal intl international in to nach at"
)
_STREET = re.compile(
    r"\b(?:street|st|road|rd|avenue|ave|lane|ln|drive|boulevard|blvd|square|court|way|via|rue|calle|plaza|piazza|"
    r"allee|weg|gasse|platz|ufer|damm|ring|quai|strasse|str)\b|(?:strasse|str|gasse|allee|weg|platz|ufer|damm)$"
)
_ROOM = re.compile(
    r"^(?:meeting |conference |board)?(?:room|raum|saal|salle|sala|floor|etage|stock|desk|building|gebaude|level|hall|"
    r"halle|aula|studio|canteen|lobby|zimmer|besprechungsraum|konferenzraum|sitzungszimmer|my|our)\b"
)
_NOT_CODES = words(
    "TBD TBA TBC USA CEO CFO COO CTO CIO HBF ICE OFF OUT NEW NOW ALL ANY PDF FYI ETA BAR PUB GYM LAB ATM IRL ROB HER "
    "SUN MON TUE WED THU FRI SAT JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
)
# Names of cities that are first of all words: believed only beside a country or in an address.
_WORDS = words(
    "bath buffalo central cork delta eagle enterprise hope independence linden many mobile nice normal orange page "
    "phoenix reading split union victoria zug essen bar of lunch home santa san general"
)


class Place(msgspec.Struct, frozen=True):
    """Somewhere: degrees, IANA zone, country code; ``alternatives`` are other places of the same name."""

    name: str
    country: str
    latitude: float
    longitude: float
    zone: str
    kind: Literal["city", "airport", "coordinates"]
    code: str = ""
    alternatives: tuple[str, ...] = ()

    @property
    def point(self) -> tuple[float, float]:
        """Latitude and longitude in degrees."""
        return self.latitude, self.longitude

    @property
    def label(self) -> str:
        """The name as it is shown: ``Zurich``, or ``London Heathrow Airport (LHR)``."""
        return f"{self.name} ({self.code})" if self.code else self.name


class Journey(msgspec.Struct, frozen=True):
    """An estimate of the way from door to door; ``how`` says what it is made of."""

    distance_km: float
    minutes: int
    mode: Literal["none", "local", "ground", "air"]
    how: str


@functools.lru_cache(maxsize=4096)
def find(location: str, *, country: str = "", near: tuple[float, float] | None = None) -> Place | None:
    """The place a location names, or None for rooms, links, streets without a city and words nobody can place.

    ``country`` is where the user lives (ISO code); it decides between cities of one name and weight, then ``near``
    does. An address is read from its end: country, then city.
    """
    location = location[:MAX_LOCATION]
    if not location.strip() or is_online(location):
        return None
    segments = [text.strip() for text in _SEPARATOR.split(location) if text and text.strip()]
    airport = _airport(location, segments)
    if airport is not None:
        return airport
    stated, rest = _Stated(), list(segments)
    while len(rest) > 1 and (more := _stated(rest[-1])) is not None:
        stated = _Stated(stated.countries | more.countries, stated.regions | more.regions)
        rest.pop()
    for segment in reversed(rest):
        city = _city_in(segment, stated, country, near, alone=len(segments) == 1)
        if city is not None:
            return city
    return None


@functools.lru_cache(maxsize=1024)
def place_at(point: tuple[float, float]) -> Place | None:
    """The place at a (latitude, longitude), called after the nearest city; None when none is within 150 km."""
    if not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        return None
    every = {id(city): city for found in cities().values() for city in found}.values()
    distance, nearest = min(((distance_km(point, (c.latitude, c.longitude)), c) for c in every), key=lambda x: x[0])
    if distance > 150:
        return None
    return Place(nearest.name, nearest.country, point[0], point[1], nearest.zone, "coordinates")


def journey(start: Place, end: Place) -> Journey:
    """Estimate the time from door to door between two places, by the faster of road or rail and air.

    Local, within a city (under 15 km): 30 minutes, 45 to or from an airport. Ground: 20 minutes to set out and
    arrive, and 1.3 times the great circle (Ballou et al., Transportation Research A 36, 2002, find 1.2 to 1.5 for most
    countries) at 50 km/h for the first 50 km and 110 km/h beyond. Air, from 300 km: 45 minutes to the airport unless
    one starts there, 90 before departure (120 beyond 3,500 km), 30 plus 800 km/h in flight, 30 to leave the airport
    (45 from another country) and 45 into town. An estimate to plan by, not a timetable.
    """
    distance = distance_km(start.point, end.point)
    if distance < 1:
        return Journey(round(distance, 1), 0, "none", "the same place")
    if distance < 15:
        minutes = 45 if "airport" in (start.kind, end.kind) else 30
        return Journey(round(distance, 1), minutes, "local", f"{minutes} min across town")
    road = 1.3 * distance
    ground = round(20 + 60 * (min(road, 50) / 50 + max(0.0, road - 50) / 110))
    if distance < 300:
        return Journey(round(distance, 1), ground, "ground", f"about {round(road)} km by road or rail")
    to_airport = 0 if start.kind == "airport" else 45
    from_airport = 0 if end.kind == "airport" else 45
    check_in = 120 if distance > 3_500 else 90
    leave = 30 if start.country == end.country else 45
    flight = round(30 + distance / 800 * 60)
    air = to_airport + check_in + flight + leave + from_airport
    if ground <= air:
        return Journey(round(distance, 1), ground, "ground", f"about {round(road)} km by road or rail")
    parts = [f"{to_airport} min to the airport"] * bool(to_airport)
    parts += [f"{check_in} min before departure", f"{flight} min in flight", f"{leave} min to leave the airport"]
    parts += [f"{from_airport} min into town"] * bool(from_airport)
    return Journey(round(distance, 1), air, "air", ", ".join(parts))


class _Stated(NamedTuple):
    """What an address says beside the city: countries and regions, of which ``CA`` may be either."""

    countries: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


def _stated(segment: str) -> _Stated | None:
    """The country, or the state of the United States, that one part of an address names."""
    name = " ".join(word for word in folded(segment).split() if not word.isdigit())
    country, region = countries().get(name), states().get(name)
    if country is None and region is None:
        return None
    found = frozenset(filter(None, (country, "US" if region else None)))
    return _Stated(found, frozenset((region,)) if region else frozenset())


def _airport(location: str, segments: list[str]) -> Place | None:
    """An IATA code where one is meant: alone, in brackets, or beside the word airport."""
    said = words(folded(location))
    alone = len(segments) == 1 and _CODE.fullmatch(segments[0]) is not None
    bracketed = re.search(r"\(([A-Z]{3})\)", location)
    terminal = re.search(r"\b([A-Z]{3})\s+T(?:erminal)?\s?\d\b", location)
    if not (alone or bracketed or terminal or said & _AIRPORT_WORDS):
        return None
    codes = [bracketed[1]] if bracketed else [terminal[1]] if terminal else _CODE.findall(location)
    for code in codes:
        found = airports().get(code)
        if found is None or code in _NOT_CODES:
            continue
        if not alone or _weight_of(found) >= 2:
            return _as_place(found)
    return None


def _weight_of(airport: Airport) -> int:
    named = cities().get(folded(airport.city), ())
    return max((c.weight for c in named if c.country == airport.country), default=0)


def _as_place(airport: Airport) -> Place:
    return Place(
        airport.name, airport.country, airport.latitude, airport.longitude, airport.zone, "airport", airport.code
    )


def _city_in(
    segment: str, stated: _Stated, country: str, near: tuple[float, float] | None, *, alone: bool
) -> Place | None:
    """The city one part of a location names: the whole part but for postal codes, or a name in a known frame."""
    name = folded(segment)
    if not name or _ROOM.search(name):
        return None
    table = cities()
    parts = [word for word in name.split() if not any(c.isdigit() for c in word)]
    # Postal codes bring letters of their own: D-10117 Berlin, London EC1A 1BB.
    coded = len(parts) > 1 and len(parts[0]) <= 2 and name != " ".join(parts)
    bare = " ".join(parts[1:] if coded else parts)
    for candidate in (name, bare):
        if candidate in table:
            return _chosen(table[candidate], stated, country, near, word=candidate in _WORDS and alone)
    if _STREET.search(bare):
        return None
    for length in (3, 2, 1):
        for start in range(len(parts) - length + 1):
            candidate = " ".join(parts[start : start + length])
            others = parts[:start] + parts[start + length :]
            if candidate in table and candidate not in _WORDS and others and _is_frame(others):
                found = _chosen(table[candidate], stated, country, near, word=False)
                if found is not None:
                    return found
    return None


def _is_frame(others: list[str]) -> bool:
    return all(word in _AROUND or word in countries() for word in others)


def _chosen(
    found: tuple[City, ...], stated: _Stated, country: str, near: tuple[float, float] | None, *, word: bool
) -> Place | None:
    """The likeliest of the cities of one name, with the others named."""
    fitting = [city for city in found if not stated.countries or city.country in stated.countries]
    if not fitting or (word and not stated.countries):
        return None
    here = (0.0, 0.0) if near is None else near

    def rank(city: City) -> tuple[float, ...]:
        away = 0.0 if near is None else distance_km(here, (city.latitude, city.longitude))
        return folded(city.region) not in stated.regions, -city.weight, city.country != country, away

    best, *others = sorted(fitting, key=rank)
    if not stated.countries and best.weight < 2 and best.country != country:
        return None  # a village with an airfield, named by what may be any word
    sure = folded(best.region) in stated.regions
    rivals = [c for c in others if not sure and best.weight < 9 and c.weight >= best.weight - 1]
    return Place(
        name=best.name,
        country=best.country,
        latitude=best.latitude,
        longitude=best.longitude,
        zone=best.zone,
        kind="city",
        alternatives=tuple(f"{c.name}, {c.region or c.country} ({c.country})" for c in rivals[:5]),
    )
