"""Which days are worked in a country: its weekend (CLDR) and its public holidays (the holidays library's calendars)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from pea import InputError, MissingExtra
from pea.agents._culture_views import BridgeDay, Holiday

_SATURDAY_SUNDAY = frozenset({5, 6})


@functools.lru_cache(maxsize=512)
def weekend(country: str) -> frozenset[int]:
    """The days of rest, Monday is 0, by CLDR's weekData; Saturday and Sunday where it knows nothing."""
    if not country:
        return _SATURDAY_SUNDAY
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError as error:
        raise _missing("babel") from error
    try:
        locale = Locale.parse(f"und_{country}")
    except (UnknownLocaleError, ValueError):
        return _SATURDAY_SUNDAY
    first, last = locale.weekend_start, locale.weekend_end
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


@functools.lru_cache(maxsize=1_024)
def holidays_of(country: str, year: int, region: str = "") -> Mapping[date, str]:
    """A year's public holidays with their English names, of a whole country or with those of a region added.

    Nothing for a country without a calendar: `is_known` tells. Raises InputError for a region that does not exist.
    """
    try:
        import holidays
    except ImportError as error:
        raise _missing("holidays") from error
    if country not in _calendars():
        return {}
    try:
        return dict(holidays.country_holidays(country, subdiv=region or None, years=year, language="en_US"))
    except NotImplementedError as error:  # so the library says that it does not know the region
        raise InputError(
            f"{country} has no region {region!r}", where="region", fix=f"known: {', '.join(_calendars()[country][:40])}"
        ) from error


def is_known(country: str) -> bool:
    """Whether there is a calendar of holidays for a country."""
    return country in _calendars()


@functools.lru_cache(maxsize=1)
def _calendars() -> dict[str, list[str]]:
    import holidays

    return holidays.list_supported_countries()


@functools.lru_cache(maxsize=4_096)
def day_off(day: date, country: str, region: str = "") -> str:
    """Why a day is not worked: ``Ascension Day``, ``a Saturday``; empty when it is."""
    named = holidays_of(country, day.year, region).get(day, "") if country else ""
    return named or (f"a {day:%A}" if day.weekday() in weekend(country) else "")


def holidays_between(country: str, first: date, last: date, region: str = "") -> list[Holiday]:
    """The public holidays of a span, both ends included; those on a weekend are marked."""
    found = [
        Holiday(day, country, f"{day:%A}", name, day.weekday() in weekend(country))
        for year in range(first.year, last.year + 1)
        for day, name in holidays_of(country, year, region).items()
        if first <= day <= last
    ]
    return sorted(found, key=lambda one: one.day)


def bridges(country: str, first: date, last: date, region: str = "") -> list[BridgeDay]:
    """Single working days between a holiday and other days off: many take them."""
    found = []
    day = first
    while day <= last:
        before, after = day - timedelta(days=1), day + timedelta(days=1)
        if not day_off(day, country, region):
            around = [day_off(one, country, region) for one in (before, after)]
            names = [why for why in around if why and not why.startswith("a ")]
            if all(around) and names:
                found.append(BridgeDay(day, country, f"between {' and '.join(around)}"))
        day += timedelta(days=1)
    return found


def common_days(countries: Iterable[str], first: date, last: date) -> tuple[int, list[date], list[tuple[str, int]]]:
    """How many weekdays of a span are worked in every country, the days that are not for want of one, and by whom."""
    codes = tuple(dict.fromkeys(countries))
    worked, lost, by_whom = 0, list[date](), dict.fromkeys(codes, 0)
    day = first
    while day <= last:
        off = [code for code in codes if day_off(day, code)]
        if not off:
            worked += 1
        elif len(off) < len(codes):
            lost.append(day)
            for code in off:
                by_whom[code] += 1
        day += timedelta(days=1)
    return worked, lost, sorted(by_whom.items(), key=lambda pair: -pair[1])


def _missing(package: str) -> MissingExtra:
    return MissingExtra(f"{package} is not installed", fix="pip install 'pea[assistant]'")
