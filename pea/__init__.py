"""PEA: a fleet of agents that does an executive's office work, in which nothing happens unobserved.

The public API. ``pea.telemetry.TracerProvider`` is public too, and usable alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pea.version import __version__

if TYPE_CHECKING:
    from pea.config import Settings
    from pea.errors import (
        AgentUnavailable,
        DeadlineExceeded,
        InputError,
        MissingExtra,
        PeaError,
        WorkspaceError,
    )
    from pea.runtime import Agent, Batch, Context, Outcome, Runtime, Task, TaskState, capability, isolated

# Imported when first asked for: `pea.telemetry` alone, or `pea --help`, need none of the runtime.
_HOMES = {
    "Settings": "pea.config",
    **dict.fromkeys(
        ("AgentUnavailable", "DeadlineExceeded", "InputError", "MissingExtra", "PeaError", "WorkspaceError"),
        "pea.errors",
    ),
    **dict.fromkeys(
        ("Agent", "Batch", "Context", "Outcome", "Runtime", "Task", "TaskState", "capability", "isolated"),
        "pea.runtime",
    ),
}

__all__ = [
    "Agent",
    "AgentUnavailable",
    "Batch",
    "Context",
    "DeadlineExceeded",
    "InputError",
    "MissingExtra",
    "Outcome",
    "PeaError",
    "Runtime",
    "Settings",
    "Task",
    "TaskState",
    "WorkspaceError",
    "__version__",
    "capability",
    "isolated",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pea' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
