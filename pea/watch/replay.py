"""Rules over the stored past: what they would have said, had they been in use. Blocks; for the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pea.config import StoreSettings
from pea.store import Query, SpanStore
from pea.store.series import SeriesStore
from pea.telemetry.record import SpanRecord
from pea.watch.alert import Alert
from pea.watch.notify.notice import moment
from pea.watch.reading import Scene
from pea.watch.rule import RuleSet
from pea.watch.watcher import Watcher
from pea.watch.windows import Windows

STEP_S = 10.0
CHUNK_S = 300.0
TRACES = 5_000  # of each five minutes


class Said(msgspec.Struct, frozen=True):
    """An alert that changed its state, and when."""

    at: str
    alert: Alert


def replayed(folder: Path, rules: RuleSet, reach_s: float, settings: StoreSettings | None = None) -> Iterator[Said]:
    """Changes of alerts over the last ``reach_s`` seconds that are stored; kept traces stand for all."""
    store = SpanStore(folder / "spans.db", settings)
    series = SeriesStore((settings or StoreSettings()).series, folder / "series.bin")
    end_s = time.time()
    start_s = (end_s - reach_s) // STEP_S * STEP_S
    now = [start_s]
    watcher = Watcher(Scene(Windows(lambda: now[0]), series, start_s), rules, clock=lambda: now[0])
    try:
        spans: list[SpanRecord] = []
        at_s = start_s
        while at_s < end_s:
            if (at_s - start_s) % CHUNK_S == 0:
                spans += _ended(store, at_s, at_s + CHUNK_S)
            now[0] = at_s = at_s + STEP_S
            due = [span for span in spans if span.end_ns <= at_s * 1e9]
            spans = [span for span in spans if span.end_ns > at_s * 1e9]
            watcher.scene.windows.take(due)
            for change in watcher.evaluate(at_s):
                yield Said(moment(at_s), change.alert)
    finally:
        store.close()


def _ended(store: SpanStore, start_s: float, end_s: float) -> list[SpanRecord]:
    query = Query(start_ns=int(start_s * 1e9), end_ns=int(end_s * 1e9) - 1, limit=TRACES)
    traces = store.get_many(row.trace_id for row in store.search(query).traces)
    return sorted((span for trace in traces for span in trace), key=lambda span: span.end_ns)
