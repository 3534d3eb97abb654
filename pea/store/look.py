"""The span store's file, read by a process that is not its writer: nothing in it is changed, not even to open it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from pea.config import StoreSettings
from pea.errors import PeaError
from pea.store.database import VERSION
from pea.store.search import Found, Origins, Query, linked, read_trace, search
from pea.telemetry.record import SpanRecord

WAIT_S = 5.0


class Unreadable(PeaError):
    """The file of stored traces is not there, or cannot be read."""

    code = "store_unreadable"


class Traces(Protocol):
    """Whatever finds and reads stored traces: the running service's store, or its file."""

    def search(self, query: Query) -> Found:
        """The newest traces with a span that fits."""

    def get(self, trace_id: int) -> list[SpanRecord]:
        """A trace's spans by start time; empty when it is not here."""

    def get_many(self, trace_ids: Iterable[int]) -> list[list[SpanRecord]]:
        """Several traces; those that are not here are left out."""

    def linked(self, trace_id: int) -> list[int]:
        """Traces joined to this one by links."""


class StoredTraces:
    """`Traces` of a file; see `opened`."""

    def __init__(self, db: sqlite3.Connection, indexed: frozenset[str]) -> None:
        self._db, self._indexed, self._origins = db, indexed, Origins(db)

    def search(self, query: Query) -> Found:
        """See `Traces`."""
        return search(self._db, self._origins, query, self._indexed)

    def get(self, trace_id: int) -> list[SpanRecord]:
        """See `Traces`."""
        return read_trace(self._db, self._origins, trace_id)

    def get_many(self, trace_ids: Iterable[int]) -> list[list[SpanRecord]]:
        """See `Traces`."""
        return [spans for trace_id in trace_ids if (spans := self.get(trace_id))]

    def linked(self, trace_id: int) -> list[int]:
        """See `Traces`."""
        return linked(self._db, trace_id)


@contextmanager
def opened(path: Path, settings: StoreSettings | None = None) -> Iterator[StoredTraces]:
    """The traces of a store's file. Raises Unreadable when it is not there, damaged or of another version."""
    indexed = frozenset((settings or StoreSettings()).indexed)
    if not path.is_file():
        raise Unreadable("no traces have been stored", where=str(path), fix="start the service: pea serve")
    alone = not path.with_name(f"{path.name}-wal").exists()
    uri = f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if alone else ''}"  # where nothing waits in a log
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                raise Unreadable(
                    f"is of version {version}, this is version {VERSION}", where=str(path), fix="let pea serve open it"
                )
            yield StoredTraces(db, indexed)
    except (sqlite3.Error, ValueError) as error:
        raise Unreadable(f"cannot be read: {error}", where=str(path), fix="let pea serve look at it") from error
