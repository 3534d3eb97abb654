"""What the page says while memory is short: what gives way, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from pea.runtime import Runtime
from pea.watch.recommend import Recommendation


def short_of_memory(runtime: Runtime) -> Iterator[Recommendation]:
    """A recommendation while steps against memory pressure are taken; none when all is well."""
    if runtime.pressure is None or not (state := runtime.pressure.state()).steps:
        return
    given = [f"caches hold {state.caches:.0%} of what they may", f"histories {state.histories:.0%}"]
    if state.refused:
        given.append(f"tasks of priority {', '.join(state.refused)} are refused")
    yield Recommendation(
        kind="memory-pressure",
        subject="",
        priority="high" if state.refused else "medium",
        what="memory is short: give PEA more, or find out what holds it",
        evidence=f"{state.memory_bytes / 1e6:,.0f} MB resident, steady is {state.steady_bytes / 1e6:,.0f} MB; "
        + "; ".join(given),
        effect="what gave way is given back by itself once memory falls; runtime.pressure sets the marks",
    )
