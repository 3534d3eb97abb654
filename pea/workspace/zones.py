"""Time zones by whatever name a calendar gives them: IANA, Windows, vendor paths, offsets, own definitions."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

_OFFSET = re.compile(r"\(?(?:UTC|GMT|Z)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?\)?(?:\s.*)?", re.IGNORECASE)
_UTC_NAMES = {"utc", "gmt", "z", "etc/utc", "etc/gmt", "utc/gmt", "zulu", "greenwich mean time"}
_YEARLY = re.compile(r"FREQ=YEARLY", re.IGNORECASE)
_BY_TIME = re.compile(r"BY(?:HOUR|MINUTE|SECOND)", re.IGNORECASE)
# One STANDARD or DAYLIGHT part, and what in it forbids to begin it in another year.
_OLD_START = re.compile(r"BEGIN:(STANDARD|DAYLIGHT)\s.*?END:\1", re.DOTALL | re.IGNORECASE)
_STEPPED = re.compile(r"UNTIL=|COUNT=|INTERVAL=|DTSTART[^:\r\n]*:\d{4}0229|\A(?!.*RRULE)", re.DOTALL | re.IGNORECASE)
_YEAR = re.compile(r"(DTSTART[^:\r\n]*:)1[0-8]\d\d(\d{4})", re.IGNORECASE)
MAX_NAME = 128
MAX_DEFINITION = 64 << 10


def resolve(name: str, definitions: Mapping[str, str] | None = None) -> tzinfo | None:
    """The zone a calendar calls ``name``, or None when nobody knows it.

    The tz database comes first, also under the Windows names and at the end of a vendor's path
    (``/example.org/Europe/Berlin``), since definitions in files are often out of date; then the file's own VTIMEZONE
    text in ``definitions``; last an offset written as a name (``GMT+0200``, ``(UTC-05:00) Eastern Time``).
    """
    name = name.strip().strip('"')
    if not name or len(name) > MAX_NAME:
        return None
    known = by_name(name)
    if known is not None:
        return known
    definition = (definitions or {}).get(name)
    if definition is not None:
        own = _from_definition(definition)
        if own is not None:
            return own
    return _from_offset(name)


@functools.lru_cache(maxsize=1024)
def by_name(name: str) -> tzinfo | None:
    """The zone of the tz database meant by an IANA or Windows name in any case, or by the end of a path."""
    if name.casefold() in _UTC_NAMES:
        return UTC
    names = _iana_names()
    parts = name.strip("/").split("/")
    for start in range(len(parts)):
        candidate = names.get("/".join(parts[start:]).replace(" ", "_").casefold())
        if candidate is not None:
            return ZoneInfo(candidate)
    windows = _windows_names().get(name.casefold())
    return None if windows is None else ZoneInfo(windows)


def name_of(zone: tzinfo | None) -> str:
    """An IANA name for showing, ``UTC``, or nothing for a zone without one."""
    if zone is UTC:
        return "UTC"
    return zone.key if isinstance(zone, ZoneInfo) and zone.key else ""


@functools.cache
def _iana_names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


@functools.cache
def _windows_names() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    known = _iana_names()
    return {windows.casefold(): iana for windows, iana in WINDOWS_TO_OLSON.items() if iana.casefold() in known}


@functools.lru_cache(maxsize=256)
def _from_definition(text: str) -> tzinfo | None:
    """A zone from a VTIMEZONE as a file spells it; None when it defines none."""
    location = re.search(r"^X-LIC-LOCATION:(.*)$", text, re.MULTILINE)
    if location is not None:
        known = by_name(location[1].strip())
        if known is not None:
            return known
    tamed = _tamed(text)
    if tamed is None:
        return None
    from icalendar import Timezone

    try:
        component = Timezone.from_ical(tamed)
        zone = component.to_tz(lookup_tzid=False) if isinstance(component, Timezone) else None
    except Exception:  # noqa: BLE001 - untrusted text through two parsers: whatever they raise, there is no zone in it
        return None
    return zone if isinstance(zone, tzinfo) else None


def _tamed(text: str) -> str | None:
    """The definition with old yearly rules begun in 1970; None when its rules are not yearly or it is too large.

    Every offset asked for walks through a rule's dates from its start: a rule by the second never ends that walk, and
    the usual start in 1601 makes it seven times as long as it need be.
    """
    rules = re.findall(r"^RRULE[^:\r\n]*:(.*)$", text, re.MULTILINE | re.IGNORECASE)
    if len(text) > MAX_DEFINITION or not all(_YEARLY.search(rule) and not _BY_TIME.search(rule) for rule in rules):
        return None
    return _OLD_START.sub(
        lambda part: part[0] if _STEPPED.search(part[0]) else _YEAR.sub(r"\g<1>1970\g<2>", part[0]), text
    )


def _from_offset(name: str) -> tzinfo | None:
    match = _OFFSET.fullmatch(name)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(offset if match[1] == "+" else -offset) if offset < timedelta(hours=15) else None
