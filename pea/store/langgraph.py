"""Where in a LangGraph a span ran: its graphs, nodes and agents, as their bridges (OpenInference, LangSmith) tell it.

LangGraph names the place of every run ``planner:UUID|agent:UUID``: node ``agent`` of the graph that is node
``planner`` of the graph that was called. Its ready-made agents call their inner nodes ``agent``, ``model`` and
``tools`` whatever they are about, so the agent is the nearest name that says more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from pea.telemetry.record import SpanRecord

MAX_BYTES = 16_384  # of metadata that are looked into
MAX_RUNS = 4_096
_INNER = frozenset({"agent", "model", "tools", "call_model"})
_UNNAMED = "LangGraph"  # what a graph is called that was given no name
_PLACE = "langgraph_checkpoint_ns"
_LANGSMITH = "langsmith.metadata."


class Place(msgspec.Struct, frozen=True):
    """``agent`` at whose work the span was seen; ``run`` is set where the span is all of that agent's run."""

    agent: str = ""
    run: str = ""


class _Metadata(msgspec.Struct):
    """OpenInference's ``metadata``, a JSON text."""

    ls_integration: str = ""
    langgraph_checkpoint_ns: str = ""


_read = msgspec.json.Decoder(_Metadata).decode


def place_of(record: SpanRecord) -> Place | None:
    """Where the span ran; None when it has nothing of a LangGraph."""
    about = record.attributes
    place = about.get(_LANGSMITH + _PLACE)
    if not isinstance(place, str):
        place = _from_metadata(about)
        if place is None:
            return None
    names = [part.partition(":")[0] for part in place.split("|")] if place else []
    if not names:
        root = not record.parent_id and record.name != _UNNAMED
        return Place(record.name, f"{record.span_id:x}") if root else Place()
    agent = next((name for name in reversed(names) if name not in _INNER), "")
    return Place(agent, place if agent == names[-1] == record.name else "")


def _from_metadata(about: Mapping[str, Any]) -> str | None:
    text = about.get("metadata")
    if not isinstance(text, str) or "lang" not in text or len(text) > MAX_BYTES:
        return None
    try:
        found = _read(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return found.langgraph_checkpoint_ns if found.langgraph_checkpoint_ns or found.ls_integration else None


class Runs:
    """Remembers the latest runs: a graph that is a node of another is seen as two spans, and is one call."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()

    def first(self, trace_id: int, run: str) -> bool:
        """Whether no span of this run has come before."""
        key = (trace_id, run)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > MAX_RUNS:
            self._seen.popitem(last=False)
        return True
