"""The embedded span store: one SQLite file, one writer, as many readers as ask."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.config import StoreSettings
from pea.store.database import damaged, open_reader
from pea.store.draft import TraceDraft
from pea.store.rates import RateRow, Rates, read_rates
from pea.store.search import Found, Origins, Query, linked, read_trace, search
from pea.store.writer import Writer, WriterStatus
from pea.telemetry import names
from pea.telemetry.record import KINDS, SpanRecord

MAX_READERS = 4
OPEN_WAIT_S = 5.0
MAX_ANSWER_SPANS = 100_000
DEPENDENCY_TRACES = 2_000  # dependencies are counted over so many of the newest traces of a window
DEPENDENCY_BUDGET_S = 1.0

T = TypeVar("T")


class Operation(msgspec.Struct, frozen=True):
    """An operation of a service, and a kind that its spans have."""

    name: str
    kind: str


class Dependency(msgspec.Struct, frozen=True):
    """How often one service, or one agent of a service, called another."""

    parent: str
    child: str
    calls: int


class SpanStore:
    """Spans on disk, bounded by bytes and age. Reading methods block: call them from a thread.

    ``rates`` and `draft` are for those who feed the store: every span is counted, what is kept is put.
    """

    def __init__(
        self, path: Path, settings: StoreSettings | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        settings = settings or StoreSettings()
        self._path = path
        self._indexed = frozenset(settings.indexed)
        self.rates = Rates()
        self.writer = Writer(
            path,
            size_bytes=settings.size,
            age_s=settings.age,
            waiting_bytes=settings.waiting,
            rates=self.rates,
            clock=clock,
        )
        self._readers: deque[tuple[int, sqlite3.Connection, Origins]] = deque()

    def draft(self, trace_id: int) -> TraceDraft:
        """An empty draft that knows which attributes are indexed."""
        return TraceDraft(trace_id, self._indexed)

    def put(self, draft: TraceDraft) -> bool:
        """Queue a draft for writing; see `Writer.put`."""
        return self.writer.put(draft)

    def pin(self, trace_id: int) -> None:
        """Delete this trace last; see `Writer.pin`."""
        self.writer.pin(trace_id)

    def add(self, records: Iterable[SpanRecord]) -> None:
        """Write spans without a keeper in between, grouped by trace."""
        drafts: dict[int, TraceDraft] = {}
        for record in records:
            draft = drafts.get(record.trace_id)
            if draft is None:
                draft = drafts[record.trace_id] = self.draft(record.trace_id)
            draft.add(record)
        for draft in drafts.values():
            self.put(draft)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until what was put is written."""
        return self.writer.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what waits and close the file."""
        done = self.writer.close(timeout_s)
        while self._readers:
            self._readers.pop()[1].close()
        return done

    def status(self) -> WriterStatus:
        """Counts and sizes."""
        return self.writer.status()

    def search(self, query: Query) -> Found:
        """The newest traces with a span that fits; see `Query`."""
        return self._read(lambda db, origins: search(db, origins, query, self._indexed), Found(()))

    def get(self, trace_id: int) -> list[SpanRecord]:
        """The spans of a trace by start time, leaves as spans of their own; empty when it is not here."""
        return self._read(lambda db, origins: read_trace(db, origins, trace_id), [])

    def get_many(self, trace_ids: Iterable[int]) -> list[list[SpanRecord]]:
        """Several traces, in the order given; those that are not here are left out.

        When they hold more than 100,000 spans together, the last ones are left out too.
        """
        wanted = list(dict.fromkeys(trace_ids))

        def read(db: sqlite3.Connection, origins: Origins) -> list[list[SpanRecord]]:
            found: list[list[SpanRecord]] = []
            room = MAX_ANSWER_SPANS
            for trace_id in wanted:
                spans = read_trace(db, origins, trace_id)
                room -= len(spans)
                if room < 0 and found:
                    break
                if spans:
                    found.append(spans)
            return found

        return self._read(read, [])

    def linked(self, trace_id: int) -> list[int]:
        """Traces joined to this one by links, nearest first."""
        return self._read(lambda db, _: linked(db, trace_id), [])

    def services(self) -> list[str]:
        """Names of services, sorted."""
        return self._read(lambda db, _: [row[0] for row in db.execute(_SERVICES)], [])

    def operations(self, service: str, kind: str = "") -> list[Operation]:
        """Operations of a service by name, one for each kind of span that they have, or of one kind."""
        return self._read(lambda db, _: list(_operations(db, service, kind)), [])

    def dependencies(self, start_ns: int, end_ns: int) -> list[Dependency]:
        """Who called whom, over the newest 2,000 traces of a window."""
        return self._read(lambda db, origins: _dependencies(db, origins, start_ns, end_ns), [])

    def rate_rows(self, service: str, kinds: Iterable[int], first_minute: int, last_minute: int) -> list[RateRow]:
        """Calls, errors and durations per minute (since 1970) and operation of a service."""
        return self._read(lambda db, _: read_rates(db, service, kinds, first_minute, last_minute), [])

    def _read(self, work: Callable[[sqlite3.Connection, Origins], T], otherwise: T) -> T:
        """Run ``work`` on a reading connection, in one snapshot; ``otherwise`` when the file cannot be read."""
        if not self.writer.wait_ready(OPEN_WAIT_S):
            return otherwise
        generation = self.writer.generation
        db: sqlite3.Connection | None = None
        try:
            known, db, origins = self._reader(generation)
            db.execute("BEGIN")
            try:
                return work(db, origins)
            finally:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                if len(self._readers) < MAX_READERS:
                    self._readers.append((known, db, origins))
                    db = None
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, ValueError) or damaged(error):
                self.writer.suspect()
                return otherwise
            raise
        finally:
            if db is not None:
                db.close()

    def _reader(self, generation: int) -> tuple[int, sqlite3.Connection, Origins]:
        while self._readers:
            try:
                known, db, origins = self._readers.pop()
            except IndexError:  # another thread took the last
                break
            if known == generation:
                return known, db, origins
            db.close()
        db = open_reader(self._path)
        return generation, db, Origins(db)


_SERVICES = "SELECT service FROM name WHERE operation = '' ORDER BY service"


def _operations(db: sqlite3.Connection, service: str, kind: str) -> Iterable[Operation]:
    rows = db.execute(
        "SELECT operation, kinds FROM name WHERE service = ? AND operation != '' ORDER BY operation", (service,)
    )
    for name, kinds in rows:
        for number, word in enumerate(KINDS):
            if kinds >> number & 1 and kind in {"", word}:
                yield Operation(name, word)


def _dependencies(db: sqlite3.Connection, origins: Origins, start_ns: int, end_ns: int) -> list[Dependency]:
    until = time.monotonic() + DEPENDENCY_BUDGET_S
    counts: Counter[tuple[str, str]] = Counter()
    window = Query(start_ns=start_ns, end_ns=end_ns, limit=DEPENDENCY_TRACES)
    for row in search(db, origins, window, frozenset()).traces:
        counts.update(_calls(read_trace(db, origins, row.trace_id)))
        if time.monotonic() > until:
            break
    return [Dependency(parent, child, calls) for (parent, child), calls in sorted(counts.items())]


def _calls(spans: list[SpanRecord]) -> Iterable[tuple[str, str]]:
    """From whom to whom a trace's spans go; an agent's spans are the agent's, else their service's."""
    nodes: dict[int, str] = {}
    for span in spans:
        agent = span.attributes.get(names.GEN_AI_AGENT_NAME)
        above = nodes.get(span.parent_id)
        inherits = above is not None and above.partition(AGENT_MARK)[0] == span.origin.service
        if isinstance(agent, str) and agent:
            node = f"{span.origin.service}{AGENT_MARK}{agent[:100]}"
        else:
            node = above if inherits and above is not None else span.origin.service
        nodes[span.span_id] = node
        if above is not None and above != node:
            yield above, node


AGENT_MARK = " · "  # between a service and its agent in the dependency graph
