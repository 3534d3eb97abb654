"""Which entries of the index a search reads: those of an operation, of a few operations, of a service, or of all."""

from __future__ import annotations

import sqlite3

import msgspec

from pea.store.database import ANY, OVERFLOW
from pea.store.draft import MAX_NAME

MOST = 16  # names whose entries are merged; of what more services have, traces are soon found among all


class Names(msgspec.Struct, frozen=True):
    """Ids of names, none when no trace can fit; ``exact`` when they are those asked for, not ones that include them."""

    ids: tuple[int, ...] = ()
    exact: bool = True


def names_of(db: sqlite3.Connection, service: str, operation: str, kind: int = 0) -> Names:
    """The names to read for a service, an operation and a kind of span; empty texts and 0 stand for any."""
    found = _named(db, service[:MAX_NAME], operation[:MAX_NAME])
    if len(operation) > MAX_NAME:
        found = Names(found.ids, exact=False)
    return _of_kind(db, found, service[:MAX_NAME], kind) if kind and found.ids else found


def _named(db: sqlite3.Connection, service: str, operation: str) -> Names:
    if not service:
        return _of_any_service(db, operation) if operation else Names((ANY,))
    for asked, named, exact in ((service, operation, True), (service, OVERFLOW, False), ("", OVERFLOW, False)):
        row = db.execute("SELECT id FROM name WHERE service = ? AND operation = ?", (asked, named)).fetchone()
        if row is not None:
            return Names((row[0],), exact)
    return Names()


def _of_any_service(db: sqlite3.Connection, operation: str) -> Names:
    """An operation's names in all services; where names have overflowed, it may be under none of its own."""
    rows = db.execute("SELECT id, operation FROM name WHERE operation IN (?, ?)", (operation, OVERFLOW)).fetchall()
    if len(rows) > MOST or any(name == OVERFLOW for _, name in rows):
        return Names((ANY,), exact=False)
    return Names(tuple(number for number, _ in rows))


def _of_kind(db: sqlite3.Connection, found: Names, service: str, kind: int) -> Names:
    """Of a service or of all, only the operations that have spans of the kind; of operations, those that do."""
    whole = found.ids == (ANY,) or bool(
        db.execute("SELECT 1 FROM name WHERE id = ? AND operation = ''", found.ids[:1]).fetchone()
    )
    if whole:
        where, values = ("service = ? AND", [service]) if service else ("", [])
        sql = f"SELECT id FROM name WHERE {where} operation != '' AND kinds >> ? & 1 LIMIT ?"  # noqa: S608  no input
        ids = tuple(number for (number,) in db.execute(sql, (*values, kind & 7, MOST + 1)))
        return found if len(ids) > MOST else Names(ids, exact=False)
    kinds = {number: db.execute("SELECT kinds FROM name WHERE id = ?", (number,)).fetchone()[0] for number in found.ids}
    return Names(tuple(number for number in found.ids if kinds[number] >> (kind & 7) & 1), found.exact)
