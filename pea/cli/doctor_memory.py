"""What ``pea doctor`` says of a running service's memory."""

from __future__ import annotations

from typing import Any

from pea.cli.doctor_finding import Finding


def memory(dashboard: Any) -> Finding:
    """A finding from what ``GET /v1/dashboard`` answers; a note while something gives way."""
    state = dashboard.get("pressure") if isinstance(dashboard, dict) else None
    if not state:
        return Finding("memory", "note", "nothing is said of it", "the service is of another version, or still starts")
    used = f"{state['memory_bytes'] / 1e6:,.0f} of {state['steady_bytes'] / 1e6:,.0f} MB"
    if not state["steps"]:
        return Finding("memory", "ok", f"{used}; nothing has to give way")
    given = f"caches at {state['caches']:.0%}, histories at {state['histories']:.0%}"
    if state["refused"]:
        given += f", tasks of priority {', '.join(state['refused'])} are refused"
    return Finding(
        "memory", "note", f"{used}: {given}", "raise runtime.pressure.steady, or see pea alerts for the cause"
    )
