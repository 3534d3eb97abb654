"""Calls, errors and durations per minute of every service's operations: all spans count, kept or not.

Durations are counted in logarithmic buckets of 2 % width, so a quantile is within 1 % whatever is merged.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from pea.store.insert import Inserter
from pea.telemetry.record import ERROR, SpanRecord

MINUTE_NS = 60_000_000_000
WIDTH = math.log(1.02)
MAX_CELLS = 50_000  # minutes of operations waiting to be written
LONGEST_NS = 2**63  # 292 years: what claims to have taken longer is counted there
# One object for each bucket, in however many counts it stands.
_NUMBERS = tuple(range(1 + int(math.log(LONGEST_NS * 1e-3) / WIDTH)))

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode

Key = tuple[int, str, str, int]  # minute since 1970, service, operation, kind


class Cell(msgspec.Struct, gc=False):
    """One minute of one operation; ``buckets`` counts durations by `bucket_of`."""

    calls: int = 0
    errors: int = 0
    buckets: dict[int, int] = {}


class RateRow(msgspec.Struct, frozen=True):
    """A minute as it is stored."""

    minute: int
    operation: str
    calls: int
    errors: int
    buckets: dict[int, int]


def bucket_of(duration_ns: int) -> int:
    """The bucket of a duration; all below a microsecond share one, and all above `LONGEST_NS`."""
    return _NUMBERS[int(math.log(min(duration_ns, LONGEST_NS) * 1e-3) / WIDTH)] if duration_ns > 1_000 else 0


def quantile(buckets: dict[int, int], q: float) -> float:
    """The q-quantile of counted durations in seconds, the middle of its bucket; NaN when there are none."""
    total = sum(buckets.values())
    if not total:
        return math.nan
    rank, seen = q * (total - 1), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen > rank:
            return 1e-6 * math.exp((bucket + 0.5) * WIDTH)
    return math.nan


class Rates:
    """A record consumer that counts; the store's writer takes what has been counted and adds it to the file."""

    def __init__(self) -> None:
        self._cells: dict[Key, Cell] = {}
        self.overflowed = 0

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Count spans; leaves are not operations of their own here."""
        cells = self._cells
        for record in records:
            key = (record.end_ns // MINUTE_NS, record.origin.service, record.name, record.kind)
            cell = cells.get(key)
            if cell is None:
                if len(cells) >= MAX_CELLS:
                    self.overflowed += 1
                    continue
                cell = cells[key] = Cell()
            cell.calls += 1
            cell.errors += record.status == ERROR
            bucket = bucket_of(record.end_ns - record.start_ns)
            cell.buckets[bucket] = cell.buckets.get(bucket, 0) + 1

    def swap(self) -> dict[Key, Cell]:
        """What has been counted since the last time."""
        cells, self._cells = self._cells, {}
        return cells


def write_rates(db: sqlite3.Connection, inserter: Inserter, cells: dict[Key, Cell]) -> None:
    """Add counts to the file; inside the caller's transaction."""
    for (minute, service, operation, kind), cell in cells.items():
        name = inserter.name(service, operation or "(unnamed)", 1 << (kind & 7), minute * 60_000_000)
        minute = min(max(minute, 0), 1 << 40)  # noqa: PLW2901  a span's clock may be absurd
        had = db.execute(
            "SELECT calls, errors, buckets FROM rate WHERE name = ? AND kind = ? AND minute = ?", (name, kind, minute)
        ).fetchone()
        calls, errors, buckets = cell.calls, cell.errors, Counter(cell.buckets)
        if had is not None:
            calls, errors = calls + had[0], errors + had[1]
            buckets.update(_decode(had[2]))
        db.execute(
            "INSERT OR REPLACE INTO rate (minute, name, kind, calls, errors, buckets) VALUES (?, ?, ?, ?, ?, ?)",
            (minute, name, kind, calls, errors, _encode(dict(buckets))),
        )


def read_rates(
    db: sqlite3.Connection, service: str, kinds: Iterable[int], first_minute: int, last_minute: int
) -> list[RateRow]:
    """The minutes of a service's operations, of spans of these kinds."""
    wanted = sorted(set(kinds))
    marks = ",".join("?" * len(wanted))
    rows = db.execute(
        "SELECT rate.minute, name.operation, rate.calls, rate.errors, rate.buckets FROM name"  # noqa: S608  marks only
        f" JOIN rate ON rate.name = name.id WHERE name.service = ? AND rate.kind IN ({marks})"
        " AND rate.minute BETWEEN ? AND ? ORDER BY rate.minute",
        (service, *wanted, first_minute, last_minute),
    )
    return [RateRow(minute, name, calls, errors, _decode(buckets)) for minute, name, calls, errors, buckets in rows]
