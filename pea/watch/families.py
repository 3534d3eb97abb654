"""Which spans are measured together: a family is one duration metric of the registry and the words for its labels.

A family's spans are those from which its metric is folded, so an alert and a graph cannot disagree; agents' calls of
other programs, which arrive by OTLP in many vocabularies and are normalised on arrival, belong to the same families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pea.store.genai import INVOKE_AGENT
from pea.telemetry import names
from pea.telemetry.instruments import METRICS
from pea.telemetry.record import ERROR, SpanRecord

SCOPE = "pea"
SERVER = 2
MAX_KNOWN_NAMES = 4_096
SERVICE = "service"


class Family(msgspec.Struct, frozen=True):
    """``labels`` maps the words of rules to attributes; ``default`` are those that series are kept by.

    A value is marked when its span failed, or, where ``hit`` names an attribute, when that is false.
    """

    name: str
    metric: str
    about: str
    labels: Mapping[str, str]
    default: tuple[str, ...]
    hit: str = ""

    def attribute(self, label: str) -> str:
        """The attribute that a label stands for; a word with a dot is an attribute itself."""
        return self.labels.get(label, label)


_AGENT = {"agent": names.GEN_AI_AGENT_NAME, "capability": names.PEA_CAPABILITY}

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "agent", names.METRIC_AGENT_CALL_DURATION, "attempts of calls to agents", _AGENT, ("agent", "capability")
        ),
        Family(
            "task",
            names.METRIC_TASK_DURATION,
            "tasks, waiting included",
            {"capability": names.PEA_CAPABILITY, "status": names.PEA_TASK_STATUS},
            ("capability",),
        ),
        Family(
            "queue",
            names.METRIC_TASK_QUEUE_DURATION,
            "tasks' waits for a free place",
            {"capability": names.PEA_CAPABILITY, "priority": names.PEA_TASK_PRIORITY},
            ("priority",),
        ),
        Family(
            "cache",
            names.METRIC_CACHE_LOOKUP_DURATION,
            "cache lookups",
            {"cache": names.PEA_CACHE_NAME, "tier": names.PEA_CACHE_TIER},
            ("cache", "tier"),
            hit=names.PEA_CACHE_HIT,
        ),
        Family(
            "worker",
            names.METRIC_WORKER_JOB_DURATION,
            "jobs in the worker pool",
            {"function": names.PEA_WORKER_FUNCTION},
            ("function",),
        ),
        Family(
            "step",
            names.METRIC_STEP_DURATION,
            "named steps inside agents",
            {"agent": names.GEN_AI_AGENT_NAME, "step": names.PEA_STEP_NAME},
            ("agent", "step"),
        ),
        Family(
            "http",
            names.METRIC_HTTP_SERVER_REQUEST_DURATION,
            "requests served, here and by programs that send OTLP",
            {"method": names.HTTP_REQUEST_METHOD, "route": names.HTTP_ROUTE},
            (SERVICE, "route"),
        ),
    )
}
_BY_WORD = {METRICS[family.metric].span: family for family in FAMILIES.values() if METRICS[family.metric].span}


class Sorter:
    """Tells a span's family; what a name says is remembered."""

    def __init__(self) -> None:
        self._known: dict[str, Family | None] = {}

    def of(self, record: SpanRecord) -> Family | None:
        """The family of a record; None when it is measured in none."""
        if record.origin.scope == SCOPE:
            found = self.named(record.name)
            if found is not None:
                return found
        elif record.attributes.get(names.GEN_AI_OPERATION_NAME) == INVOKE_AGENT:
            return FAMILIES["agent"]
        return FAMILIES["http"] if record.kind == SERVER else None

    def named(self, name: str) -> Family | None:
        """The family of PEA's own spans and leaves of this name."""
        known = self._known
        if name in known:
            return known[name]
        if len(known) >= MAX_KNOWN_NAMES:
            known.clear()
        found = known[name] = _BY_WORD.get(name.partition(" ")[0])
        return found


def marked(family: Family, record: SpanRecord, attributes: Mapping[str, Any]) -> bool:
    """Whether the span failed, or its lookup missed."""
    if family.hit:
        return not attributes.get(family.hit)
    return record.status == ERROR or names.ERROR_TYPE in attributes
