"""A schedule, and each time that it was due: plain values."""

from __future__ import annotations

import enum
import re

import msgspec

from pea.config import Seconds
from pea.errors import InputError
from pea.runtime.schedule.hours import Cron, parse

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
MAX_INPUT_BYTES = 64 << 10
GRACE_S = 3_600.0


class Outcome(enum.StrEnum):
    """What became of a time at which a schedule was due."""

    FIRED = "fired"  # its task was accepted
    LATE = "late"  # so too, but more than a minute afterwards: the process was down, or had no room
    MISSED = "missed"  # not fired: it was longer ago than the grace, or a later one of it fired instead
    REFUSED = "refused"  # the task was not accepted; why is noted


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. ``input`` is JSON; times are Unix seconds; ``settled`` is until when all is dealt with.

    ``identity`` tells it from another that had its name before.
    """

    name: str
    identity: str
    cron: Cron
    capability: str
    input: msgspec.Raw
    grace_s: float
    created: float
    settled: float


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a schedule was due (Unix seconds), and what became of it."""

    schedule: str
    due: float
    at: float
    outcome: Outcome
    task: str = ""
    note: str = ""


def made(
    name: str,
    cron: str,
    zone: str,
    capability: str,
    given: bytes,
    *,
    identity: str,
    now: float,
    grace: str | float = GRACE_S,
) -> Entry:
    """A schedule from what a person wrote. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name", where="name", fix="small letters, digits, - and _")
    if len(given) > MAX_INPUT_BYTES:
        raise InputError(f"is larger than {MAX_INPUT_BYTES:,} bytes", where="input")
    return Entry(
        name=name,
        identity=identity,
        cron=parse(cron, zone),
        capability=capability,
        input=msgspec.Raw(given),
        grace_s=float(Seconds.parse(grace)),
        created=now,
        settled=now,
    )
