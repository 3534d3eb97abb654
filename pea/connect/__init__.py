"""The user's servers: what is new is fetched into the workspace, and what was approved is written back once."""

from pea.connect.connectors import Connectors
from pea.connect.failures import Changed, CredentialError, Refused, Uncertain, Unreachable
from pea.connect.synced import Standing, Synced, standing

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
