"""What a token may be good for; every route declares which of these it takes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One kind of access. A token has one or more; `ADMIN` stands for all of them, `PUBLIC` needs no token."""

    PUBLIC = "public"
    READ = "read"
    SUBMIT = "submit"
    INGEST = "ingest"
    ADMIN = "admin"


GRANTED = (Scope.READ, Scope.SUBMIT, Scope.INGEST, Scope.ADMIN)

MEANING = {
    Scope.READ: "see tasks, traces, agents, alerts and metrics",
    Scope.SUBMIT: "submit and cancel tasks, tell events",
    Scope.INGEST: "send spans and metrics by OTLP",
    Scope.ADMIN: "everything: approve, silence, invalidate, and the other three",
}


def allows(scopes: Iterable[Scope], wanted: Scope) -> bool:
    """Whether these scopes are enough for a route that wants ``wanted``."""
    held = frozenset(scopes)
    return wanted is Scope.PUBLIC or wanted in held or Scope.ADMIN in held
