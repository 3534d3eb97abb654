"""The user's servers: what is new is fetched into the workspace, and what was approved is written back once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pea.connect.connectors import Connectors
    from pea.connect.failures import Changed, CredentialError, Refused, Uncertain, Unreachable
    from pea.connect.synced import Standing, Synced, standing

# Imported when first asked for: to say from when a copy is takes none of what speaks to servers.
_HOMES = {
    "Connectors": "connectors",
    **dict.fromkeys(("Changed", "CredentialError", "Refused", "Uncertain", "Unreachable"), "failures"),
    **dict.fromkeys(("Standing", "Synced", "standing"), "synced"),
}

__all__ = [
    "Changed",
    "Connectors",
    "CredentialError",
    "Refused",
    "Standing",
    "Synced",
    "Uncertain",
    "Unreachable",
    "standing",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pea.connect' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"pea.connect.{home}"), name)
    return value
