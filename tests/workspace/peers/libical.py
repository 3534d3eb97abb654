"""Starts of a calendar's events by libical (C, by way of ctypes), in a process of its own: a bad file may crash it."""

from __future__ import annotations

import ctypes
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = 1995, 2030
VEVENT, ANY = 4, 1  # icalcomponent_kind


class Time(ctypes.Structure):
    """icaltimetype of libical 3."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("year", "month", "day", "hour", "minute", "second")),
        ("is_date", ctypes.c_int),
        ("is_daylight", ctypes.c_int),
        ("zone", ctypes.c_void_p),
    )  # fmt: skip


class Span(ctypes.Structure):
    """icaltime_span: seconds since 1970."""

    _fields_ = (("start", ctypes.c_int64), ("end", ctypes.c_int64), ("is_busy", ctypes.c_int))


TOLD = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Span), ctypes.c_void_p)


def library() -> ctypes.CDLL:
    """The C library, version 3; OSError without it."""
    lib = ctypes.CDLL("libical.so.3")
    for name in ("icalparser_parse_string", "icalcomponent_get_first_component", "icalcomponent_get_next_component"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.icalparser_parse_string.argtypes = [ctypes.c_char_p]
    for name in ("icalcomponent_get_first_component", "icalcomponent_get_next_component"):
        getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.icalcomponent_isa.argtypes = [ctypes.c_void_p]
    lib.icalcomponent_as_ical_string.argtypes, lib.icalcomponent_as_ical_string.restype = (
        [ctypes.c_void_p],
        ctypes.c_char_p,
    )
    lib.icalcomponent_get_dtstart.argtypes, lib.icalcomponent_get_dtstart.restype = [ctypes.c_void_p], Time
    lib.icalcomponent_foreach_recurrence.argtypes = [ctypes.c_void_p, Time, Time, TOLD, ctypes.c_void_p]
    return lib


def events(lib: ctypes.CDLL, component: int) -> list[int]:
    """Every VEVENT below a component."""
    found: list[int] = []
    child = lib.icalcomponent_get_first_component(component, ANY)
    while child:
        found += [child] if lib.icalcomponent_isa(child) == VEVENT else events(lib, child)
        child = lib.icalcomponent_get_next_component(component, ANY)
    return found


def expanded(lib: ctypes.CDLL, text: bytes) -> list[dict[str, str]]:
    """The starts in the years looked at; instances that another component replaces are taken out, as callers must."""
    root = lib.icalparser_parse_string(text)
    if not root:
        raise ValueError("it does not parse")
    first, last = Time(FIRST, 1, 1), Time(LAST + 1, 1, 1)
    every = [root] if lib.icalcomponent_isa(root) == VEVENT else events(lib, root)
    found: list[tuple[str, str, dict[str, str]]] = []
    replaced: set[tuple[str, str]] = set()
    for event in every:
        # Text is folded; the lines are joined before they are looked at.
        lines = lib.icalcomponent_as_ical_string(event).decode("utf-8", "replace").replace("\r\n ", "")
        uid = _value(lines, "UID")
        zone = re.search(r"^DTSTART[^:\n]*;TZID=\"?([^:;\"\r\n]+)", lines, re.MULTILINE)
        at = lib.icalcomponent_get_dtstart(event)
        instance = _instance(lines)
        starts: list[int] = []
        told = TOLD(lambda _event, span, _data, starts=starts: starts.append(span.contents.start))
        lib.icalcomponent_foreach_recurrence(event, first, last, told, None)
        for seconds in starts:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
            if not FIRST <= moment.year <= LAST:
                continue
            kind = "date" if at.is_date else "UTC" if at.zone else zone[1] if zone else ""
            local = f"{moment:%Y-%m-%d}" if at.is_date else f"{moment:%Y-%m-%dT%H:%M:%S}"
            key = f"{moment:%Y%m%d}" if at.is_date else f"{moment:%Y%m%dT%H%M%S}"
            found.append((uid, key if not instance else "", {"local": local, "zone": kind}))
        if instance:
            replaced.add((uid, instance))
    return [start for uid, key, start in found if (uid, key) not in replaced]


def _instance(lines: str) -> str:
    """The instance that an event replaces, as the key of a start."""
    match = re.search(
        r"^RECURRENCE-ID(?:[^:\n]*?;TZID=\"?([^:;\"\r\n]+))?[^:\n]*:(\d{8}(?:T\d{6})?)", lines, re.MULTILINE
    )
    if match is None:
        return ""
    if not match[1] or match[1] not in available_timezones() or "T" not in match[2]:
        return match[2]
    moment = datetime.strptime(match[2], "%Y%m%dT%H%M%S").replace(tzinfo=ZoneInfo(match[1]))
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}"


def _value(lines: str, name: str) -> str:
    match = re.search(rf"^{name}[^:\n]*:([^\r\n]*)", lines, re.MULTILINE)
    return match[1] if match else ""


if __name__ == "__main__":
    try:
        answer: object = expanded(library(), Path(sys.argv[1]).read_bytes())
    except ValueError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
