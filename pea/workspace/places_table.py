"""The table of airports and of the cities they serve, with what makes one city of a name more likely than another."""

from __future__ import annotations

import csv
import functools
import math
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import TypeVar

import msgspec

from pea.errors import MissingExtra

EARTH_KM = 6371.0088  # mean radius (IUGG)
_BETWEEN = re.compile("[^0-9a-z]+")
_MAKING = threading.RLock()  # one table is made from the other

T = TypeVar("T")


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Make a table at its first use, and once: threads that want it meanwhile wait for it instead of making their own.

    `functools.cache` has each of them make it: five agents at their first question took five times as long.
    """
    known = functools.cache(make)

    @functools.wraps(make)
    def made() -> T:
        if known.cache_info().currsize:
            return known()
        with _MAKING:
            return known()

    return made


class Airport(msgspec.Struct, frozen=True):
    """An airport with an IATA code; degrees, IANA zone, ISO 3166-1 alpha-2 country."""

    code: str
    name: str
    city: str
    region: str
    country: str
    latitude: float
    longitude: float
    zone: str


class City(msgspec.Struct, frozen=True):
    """A city: from ``places_cities.csv`` its centre (weight 9), else the middle of the airports that bear its name.

    ``weight`` orders cities of one name. For those known only by their airports it is 4 when a time zone is called
    after them, 3 when IATA gives them a code of their own for several airports, 1 for an international airport and up
    to 3 for their number, and their place is good to about 30 km. No count of inhabitants stands behind it.
    """

    name: str
    region: str
    country: str
    latitude: float
    longitude: float
    zone: str
    airports: tuple[str, ...]
    weight: int


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def folded(text: str) -> str:
    """Text for comparing names: no accents, no case, punctuation as single spaces."""
    if text.isascii():
        return _BETWEEN.sub(" ", text.lower()).strip()
    text = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return " ".join("".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c)).split())


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude) points in degrees, by the haversine formula."""
    phi1, phi2 = math.radians(a[0]), math.radians(b[0])
    dphi, dlambda = phi2 - phi1, math.radians(b[1] - a[1])
    h = math.sin(dphi / 2) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(dlambda / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


@_once
def airports() -> Mapping[str, Airport]:
    """Every airport by its IATA code (about 80 ms the first time)."""
    try:
        import airportsdata
    except ImportError as error:
        raise MissingExtra(f"places need {error.name}", fix="pip install 'pea[assistant]'") from error
    return {
        code: Airport(
            code, row["name"], row["city"], row["subd"], row["country"], float(row["lat"]), float(row["lon"]), row["tz"]
        )
        for code, row in airportsdata.load("IATA").items()
    }


def airports_near(point: tuple[float, float], *, within_km: float = 80.0, limit: int = 5) -> tuple[Airport, ...]:
    """The airports around a (latitude, longitude), nearest first."""
    if not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        raise ValueError(f"{point} is no latitude and longitude")
    near = [
        (d, a.code) for a in airports().values() if (d := distance_km(point, (a.latitude, a.longitude))) <= within_km
    ]
    return tuple(airports()[code] for _, code in sorted(near)[:limit])


@_once
def cities() -> Mapping[str, tuple[City, ...]]:
    """The cities by folded name, the likeliest of a name first (about 150 ms the first time)."""
    by_name: dict[str, list[City]] = {}
    known: dict[str, list[City]] = {}
    for city, names in _well_known():
        for name in names:
            by_name.setdefault(folded(name), []).append(city)
            known.setdefault(folded(name), []).append(city)
    grouped: dict[tuple[str, str, str], list[Airport]] = {}
    for airport in airports().values():
        if airport.city:
            grouped.setdefault((airport.city, airport.country, airport.zone), []).append(airport)
    metropolitan = _metropolitan()
    for (name, country, zone), served in grouped.items():
        for near in _clusters(served):
            city = _city(name, country, zone, near, metropolitan=(folded(name), country) in metropolitan)
            point = (city.latitude, city.longitude)
            # The well-known city of this name and place, seen from its airports, is no second one.
            if all(distance_km(point, (c.latitude, c.longitude)) > 120 for c in known.get(folded(name), ())):
                by_name.setdefault(folded(name), []).append(city)
    return {name: tuple(sorted(found, key=lambda c: -c.weight)) for name, found in by_name.items()}


def _well_known() -> Iterable[tuple[City, list[str]]]:
    text = files(__package__).joinpath("places_cities.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        point = (float(row["latitude"]), float(row["longitude"]))
        city = City(
            name=row["name"],
            region="",
            country=row["country"],
            latitude=point[0],
            longitude=point[1],
            zone=row["zone"],
            airports=(),
            weight=9,
        )
        yield city, [row["name"], *filter(None, row["also"].split(";"))]


@functools.cache
def countries() -> Mapping[str, str]:
    """ISO country codes by folded English name, code or what the neighbours call it."""
    known: dict[str, str] = {}
    for line in files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, name = line.partition("\t")
            known[folded(name)] = known[code.casefold()] = code
    at_home = {
        "GB": "uk, united kingdom, great britain, england, scotland, wales, northern ireland, grossbritannien",
        "US": "usa, united states of america, u s a, vereinigte staaten, etats unis, estados unidos",
        "DE": "deutschland, allemagne, alemania, germania",
        "CH": "schweiz, suisse, svizzera, suiza",
        "AT": "osterreich, oesterreich, autriche",
        "FR": "frankreich, francia",
        "IT": "italien, italia, italie",
        "ES": "spanien, espana, espagne",
        "NL": "netherlands, the netherlands, niederlande, nederland, holland",
        "BE": "belgien, belgique, belgie",
        "PL": "polen, polska", "DK": "danemark, danmark", "SE": "schweden, sverige", "CZ": "czech republic, tschechien",
        "KR": "south korea", "AE": "uae", "RU": "russia", "VN": "vietnam", "IE": "irland",
    }  # fmt: skip
    for code, names in at_home.items():
        known.update(dict.fromkeys(names.split(", "), code))
    return known


@functools.cache
def states() -> Mapping[str, str]:
    """The states of the United States by folded name and postal abbreviation; their names are the airports' regions."""
    names = {folded(a.region) for a in airports().values() if a.country == "US" and a.region}
    short = (
        "al alabama ak alaska az arizona ar arkansas ca california co colorado ct connecticut de delaware fl florida "
        "ga georgia hi hawaii id idaho il illinois in indiana ia iowa ks kansas ky kentucky la louisiana me maine "
        "md maryland ma massachusetts mi michigan mn minnesota ms mississippi mo missouri mt montana ne nebraska "
        "nv nevada nh new-hampshire nj new-jersey nm new-mexico ny new-york nc north-carolina nd north-dakota oh ohio "
        "ok oklahoma or oregon pa pennsylvania ri rhode-island sc south-carolina sd south-dakota tn tennessee tx texas "
        "ut utah vt vermont va virginia wa washington wv west-virginia wi wisconsin wy wyoming dc district-of-columbia"
    )
    pairs = short.split()
    abbreviated = {code: name.replace("-", " ") for code, name in zip(pairs[::2], pairs[1::2], strict=True)}
    return {name: name for name in names} | abbreviated


def _metropolitan() -> set[tuple[str, str]]:
    import airportsdata

    return {(folded(area["name"]), area["country"]) for area in airportsdata.load_iata_macs().values()}


def _clusters(served: Iterable[Airport]) -> list[list[Airport]]:
    """Airports of one name, country and zone that are within 120 km of each other serve one city."""
    clusters: list[list[Airport]] = []
    for airport in served:
        point = (airport.latitude, airport.longitude)
        for cluster in clusters:
            if distance_km(point, (cluster[0].latitude, cluster[0].longitude)) < 120:
                cluster.append(airport)
                break
        else:
            clusters.append([airport])
    return clusters


def _city(name: str, country: str, zone: str, served: list[Airport], *, metropolitan: bool) -> City:
    served = sorted(served, key=lambda a: ("international" not in a.name.casefold(), a.code))
    own_zone = folded(zone.rpartition("/")[2].replace("_", " ")) == folded(name)
    international = any("international" in a.name.casefold() for a in served)
    return City(
        name=name,
        region=served[0].region,
        country=country,
        latitude=sum(a.latitude for a in served) / len(served),
        longitude=sum(a.longitude for a in served) / len(served),
        zone=zone,
        airports=tuple(a.code for a in served),
        weight=4 * own_zone + 3 * metropolitan + international + min(3, len(served)),
    )
