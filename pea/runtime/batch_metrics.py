"""How well batches fill, as a metric that is read when somebody collects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pea.telemetry import names
from pea.telemetry.metrics import Gauge

if TYPE_CHECKING:
    from pea.runtime.batching import BatchCounts
    from pea.runtime.directory import Directory


def observe_batches(gauge: Gauge, directory: Directory) -> None:
    """Register the callback: calls by capability, done together with others or alone; of all replicas."""
    batched = [name for name, one in directory.capabilities.items() if one.declared.batch is not None]
    if not batched:
        return

    def calls() -> list[tuple[Mapping[str, Any], float]]:
        found: list[tuple[Mapping[str, Any], float]] = []
        for name in batched:
            counts: list[BatchCounts] = [one.counts for one in directory.instances(name) if hasattr(one, "counts")]
            shared = sum(one.shared for one in counts)
            alone = sum(one.calls for one in counts) - shared
            about = {names.PEA_CAPABILITY: name}
            found += [
                ({**about, names.PEA_BATCH_SHARED: word}, count) for word, count in (("true", shared), ("false", alone))
            ]
        return found

    gauge(names.METRIC_BATCH_CALLS, calls)
