"""Stores in a temporary folder, and spans for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pea.config import StoreSettings
from pea.store.spans import SpanStore
from pea.telemetry.record import Origin, SpanRecord

T0 = 1_700_000_000_000_000_000  # ns
MS = 1_000_000
SHOP = Origin("shop", {"service.name": "shop", "host.name": "one"}, "lib", "1.2")
BANK = Origin("bank", {"service.name": "bank"})


def span(trace: int, number: int, parent: int = 0, **fields: object) -> SpanRecord:
    """A span of 5 ms; fields as in SpanRecord, and ``ms`` for another duration."""
    ms = fields.pop("ms", 5)
    start = fields.pop("start_ns", T0 + trace * MS)
    given = {"name": "work", "origin": SHOP, "entry": not parent} | fields
    return SpanRecord(trace_id=trace, span_id=number, parent_id=parent, start_ns=start, end_ns=start + ms * MS, **given)


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[..., SpanStore]]:
    """Opens stores; time stands still shortly after T0 unless told otherwise."""
    opened: list[SpanStore] = []

    def make(
        path: Path | None = None, clock: Callable[[], float] = lambda: T0 / 1e9 + 60, **settings: object
    ) -> SpanStore:
        store = SpanStore(path or tmp_path / "spans.db", StoreSettings(**settings), clock=clock)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., SpanStore]) -> SpanStore:
    return make_store()
