"""Cron expressions in a time zone: when one is due next, over both changes of daylight saving time.

A time of day that a change skips fires once, right after the gap; one that comes twice fires the first time only.
Expressions with ``*`` in the minutes or hours go by real time: every ten minutes is every ten minutes. That is how
Debian's cron has it (cron(8), "special considerations exist when the clock is changed").
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from pea.errors import InputError

MAX_LENGTH = 200
_NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Cron(msgspec.Struct, frozen=True):
    """An expression of five fields and the IANA name of the zone that it is meant in."""

    expression: str
    zone: str

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment at which it is due, in its zone; None when there is none in 50 years."""
        return next(self.times(moment), None)

    def times(self, moment: datetime) -> Iterator[datetime]:
        """All times after a moment, in order; each once."""
        from cronsim import CronSim

        zone = ZoneInfo(self.zone)
        last = moment.astimezone(UTC)
        # It begins a day earlier, because what a change of the clock moves can be found only from before the change.
        for due in CronSim(self.expression, moment.astimezone(zone) - timedelta(days=1)):
            if due.astimezone(UTC) > last:
                last = due.astimezone(UTC)
                yield due


def parse(expression: str, zone: str) -> Cron:
    """An expression as people write it, checked. Raises InputError with what is wrong."""
    from cronsim import CronSim, CronSimError

    text = " ".join(expression.split())
    text = _NAMES.get(text.lower(), text)
    fix = "five fields: minute hour day month weekday, as '30 7 * * mon-fri'"
    if len(text) > MAX_LENGTH or len(text.split(" ")) != 5:
        raise InputError(f"{text[:80]!r} is no cron expression", where="cron", fix=fix)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise InputError(f"no time zone is called {zone!r}", where="zone", fix="as Europe/Berlin") from None
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise InputError(f"{text!r}: {error}", where="cron", fix=fix) from None
    cron = Cron(text, zone)
    if cron.after(datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise InputError(f"{text!r} is never due", where="cron", fix=fix)
    return cron
