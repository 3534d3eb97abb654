"""Keeps the file within its bounds: the oldest traces go first, a few at a time; space is given back in steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from itertools import takewhile

from pea.store.codec import origins_of
from pea.store.insert import Inserter, decode_about
from pea.store.sieve import forget_stretches

STEP = 100  # traces deleted in one transaction: some milliseconds, so that nobody waits
ORIGINS_STEP = 1_000
VACUUM_PAGES = 256
LOW_WATER = 0.95  # deletion goes on until this share of the bound


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold data."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def at_bound(db: sqlite3.Connection, size_bytes: int) -> bool:
    """Whether the file has grown to its bound, so that no room is its own doing and not the disk's."""
    pages, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return bool(pages * size >= size_bytes)


def delete_oldest(
    db: sqlite3.Connection, *, before_ns: int | None = None, at_most: int = STEP, pinned: Collection[bytes] = ()
) -> tuple[int, int]:
    """Delete the traces that came first, of those that ended before a time if one is given: traces and spans deleted.

    Runs inside the caller's transaction. With a time it stops at the first trace that is younger. Of the ``pinned``
    none goes while there is another.
    """
    rows = db.execute(
        "SELECT id, trace_id, start_us, last_ns, spans, about FROM trace ORDER BY id LIMIT ?", (at_most + len(pinned),)
    ).fetchall()
    if pinned:
        rows = [row for row in rows if row[1] not in pinned][:at_most] or (rows[:1] if before_ns is None else [])
    traces = spans = 0
    for number, key, start_us, last_ns, count, packed in rows:
        if before_ns is not None and last_ns >= before_ns:
            break
        about = decode_about(packed)
        db.executemany(
            "DELETE FROM entry WHERE name = ? AND start_us = ? AND trace = ?",
            [(name, start_us, number) for name in about.names],
        )
        db.executemany(
            "DELETE FROM tag WHERE hash = ? AND start_us = ? AND trace = ?",
            [(tag, start_us, number) for tag in about.tags],
        )
        db.execute("DELETE FROM chunk WHERE trace = ?", (number,))
        others = [other for (other,) in db.execute("SELECT other FROM link WHERE trace_id = ?", (key,))]
        db.executemany("DELETE FROM link WHERE trace_id = ? AND other = ?", [(other, key) for other in others])
        db.execute("DELETE FROM link WHERE trace_id = ?", (key,))
        db.execute("DELETE FROM trace WHERE id = ?", (number,))
        traces += 1
        spans += count
    if traces:
        forget_stretches(db, pinned)
    return traces, spans


def delete_old_names(db: sqlite3.Connection, inserter: Inserter, before_us: int) -> None:
    """Delete rates, and names that nothing has used, from before a time (µs); inside the caller's transaction."""
    db.execute(
        "DELETE FROM rate WHERE (name, kind, minute) IN"
        " (SELECT name, kind, minute FROM rate WHERE minute < ? LIMIT 1000)",
        (before_us // 60_000_000,),
    )
    gone = db.execute(
        "DELETE FROM name WHERE id IN (SELECT id FROM name WHERE seen_us < ?"
        " AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.name = name.id)"
        " AND NOT EXISTS (SELECT 1 FROM rate WHERE rate.name = name.id) LIMIT 1000) RETURNING id",
        (before_us,),
    ).fetchall()
    inserter.forget_names(number for (number,) in gone)


def delete_old_origins(db: sqlite3.Connection, inserter: Inserter, pinned: Collection[bytes] = ()) -> None:
    """Delete origins that no trace refers to; inside the caller's transaction.

    Those of ``pinned`` traces that outlived their time are looked up; a chunk that is damaged needs none, for it cannot
    be read anyhow. The newest row stays: its id must not come again, for readers remember origins by it.
    """
    oldest = db.execute("SELECT id, trace_id FROM trace ORDER BY id LIMIT ?", (len(pinned) + 1,)).fetchall()
    kept = list(takewhile(lambda row: row[1] in pinned, oldest))
    if len(kept) == len(oldest):
        return
    in_use = {
        number
        for trace, _ in kept
        for (data,) in db.execute("SELECT data FROM chunk WHERE trace = ?", (trace,)).fetchall()
        for number in _origins_in(data)
    }
    rows = db.execute(
        "SELECT id FROM origin WHERE high < ? AND id < (SELECT max(id) FROM origin) LIMIT ?",
        (oldest[len(kept)][0], ORIGINS_STEP + len(in_use)),
    )
    gone = [number for (number,) in rows if number not in in_use]
    db.executemany("DELETE FROM origin WHERE id = ?", [(number,) for number in gone])
    inserter.forget_origins(gone)


def _origins_in(chunk: bytes) -> list[int]:
    try:
        return origins_of(chunk)
    except ValueError:
        return []


def give_back(db: sqlite3.Connection, pages: int = VACUUM_PAGES) -> bool:
    """Shrink the file by a few free pages when many are free; whether there are more."""
    free, total = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if free <= max(total // 10, VACUUM_PAGES):
        return False
    db.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return True
