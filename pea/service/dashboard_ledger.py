"""What each agent's work used, folded from spans: a job's or an exchange's use goes up to the agent that it was for.

A span ends before the one above it, so its use waits there until that one ends, and goes on upwards until an agent's
span comes by. CPU time on the event loop, which no span can tell, is added from `pea.telemetry.loop_share`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pea.telemetry import names
from pea.telemetry.fold import SCOPE
from pea.telemetry.loop_share import LoopShare
from pea.telemetry.record import SpanRecord

WAITING = 10_000  # uses whose agent's span has not ended; of more, the oldest are nobody's
MAX_AGENTS = 1_000
WINDOW_S = 300.0
SHORTEST_S = 9.0  # rates are told over at least so long
_SIZES = (names.PEA_CONNECTOR_BYTES, names.HTTP_REQUEST_BODY_SIZE, names.HTTP_RESPONSE_BODY_SIZE)
_CLIENT = 3
_JOB = names.SPAN_WORKER + " "


class Used(msgspec.Struct, frozen=True):
    """CPU seconds, reads and writes, bytes over the network; added up, or of each a second."""

    cpu_s: float = 0.0
    file_operations: float = 0.0
    network_bytes: float = 0.0

    def __add__(self, other: Used) -> Used:
        return Used(
            self.cpu_s + other.cpu_s,
            self.file_operations + other.file_operations,
            self.network_bytes + other.network_bytes,
        )


NOTHING = Used()


class Ledger:
    """A record consumer that adds up what agents used since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, Used] = OrderedDict()  # by the id of the span above
        self._totals: dict[str, Used] = {}

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Fold spans, children before those above them."""
        with self._lock:
            waiting = self._waiting
            for record in records:
                used = waiting.pop(record.span_id, None) if waiting else None
                if (record.kind == _CLIENT or record.name.startswith(_JOB)) and record.origin.scope == SCOPE:
                    used = _told(record.attributes) + (used or NOTHING)
                if used is not None and used != NOTHING:
                    self._pass_on(record, used)

    def totals(self) -> dict[str, Used]:
        """What each agent used since the start."""
        with self._lock:
            return dict(self._totals)

    def _pass_on(self, record: SpanRecord, used: Used) -> None:
        agent = record.attributes.get(names.GEN_AI_AGENT_NAME)
        if isinstance(agent, str) and agent:
            if agent in self._totals or len(self._totals) < MAX_AGENTS:
                self._totals[agent] = self._totals.get(agent, NOTHING) + used
        elif record.parent_id:
            self._waiting[record.parent_id] = self._waiting.get(record.parent_id, NOTHING) + used
            if len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)


class AgentRates:
    """Rates over the last five minutes, from totals that `look` notes every ten seconds."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._noted: deque[tuple[float, dict[str, Used]]] = deque(maxlen=int(WINDOW_S // 10) + 1)
        self.share: LoopShare | None = None

    def look(self) -> None:
        """Note how the totals stand."""
        self._noted.append((self._clock(), self._totals()))

    def rate(self, agent: str) -> Used | None:
        """What an agent uses in a second; None before there is anything to compare with."""
        if not self._noted or self._noted[-1][0] - self._noted[0][0] < SHORTEST_S:
            return None
        (began, first), (ended, last) = self._noted[0], self._noted[-1]
        seconds, earlier, later = ended - began, first.get(agent, NOTHING), last.get(agent, NOTHING)
        return Used(
            max(later.cpu_s - earlier.cpu_s, 0.0) / seconds,
            (later.file_operations - earlier.file_operations) / seconds,
            (later.network_bytes - earlier.network_bytes) / seconds,
        )

    def cpu(self, used: Used | None) -> float | None:
        """CPU as a share of all CPUs; None where the system does not tell of the loop's."""
        if used is None or self.share is None or not self.share.told:
            return None
        return round(min(used.cpu_s / (os.cpu_count() or 1), 1.0), 6)

    def _totals(self) -> dict[str, Used]:
        totals = self._ledger.totals()
        for agent, seconds in self.share.seconds().items() if self.share is not None else ():
            totals[agent] = totals.get(agent, NOTHING) + Used(cpu_s=seconds)
        return totals


def _told(attributes: Mapping[str, Any]) -> Used:
    sizes = [value for name in _SIZES if isinstance(value := attributes.get(name), int)]
    cpu_s, operations = attributes.get(names.PEA_WORKER_CPU), attributes.get(names.PEA_WORKER_FILE_OPERATIONS)
    return Used(
        cpu_s if isinstance(cpu_s, float) else 0.0,
        operations if isinstance(operations, int) else 0,
        sum(sizes),
    )
