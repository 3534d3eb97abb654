"""The trace keeper: holds a trace until its root has ended, then lets it pass on whole or not at all.

Life of a trace: *open* (spans gather in a draft) → *kept* (the draft goes to the sink, late spans follow it) or
*passed* (the draft goes to a ring, out of which `Keeper.pin` can still fetch it; late spans join it there). Under
`keep_all` the decision is known at the first span: nothing waits, and drafts go out each time the drain settles, so
that a crash costs no more than one drain interval.

Everything is bounded: open traces, spans per trace, bytes, age, remembered decisions, the ring and the pins.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from pea.config import KeeperSettings
from pea.telemetry.keeper_policy import Ended, Policy, keep_all, policy_of
from pea.telemetry.record import ERROR, SpanRecord

MAX_DECISIONS = 100_000
MAX_KNOWN_TO_KEEP = 4_096  # where all are kept, decisions only keep a trace from being counted twice
MAX_PINS = 10_000


class Draft(Protocol):
    """What gathers a trace's spans; the store's own form of them, so that nothing is converted twice."""

    trace_id: int
    spans: int
    size_bytes: int

    def add(self, record: SpanRecord) -> None:
        """Take one span."""


D = TypeVar("D", bound=Draft)


class KeeperStatus(msgspec.Struct, frozen=True):
    """Counts since the start (``kept`` and ``passed`` are traces, ``late`` and ``left_out`` spans) and what is held."""

    open_traces: int
    open_bytes: int
    kept: int
    passed: int
    pinned: int
    late: int
    left_out: int
    hurried: int  # traces decided before their root had ended, because of age or room
    passed_held: int
    passed_bytes: int
    reasons: dict[str, int]


class _Open(Generic[D]):
    """A trace that is still gathering."""

    __slots__ = ("draft", "due", "end_ns", "failed", "name", "rooted", "start_ns")

    def __init__(self, draft: D, due: float, start_ns: int) -> None:
        self.draft = draft
        self.due = due  # when it is decided, whatever has come by then
        self.failed = False
        self.rooted = False
        self.name = ""
        self.start_ns = start_ns
        self.end_ns = 0


class Keeper(Generic[D]):
    """A record consumer that gathers whole traces and gives those worth keeping to ``sink``."""

    def __init__(
        self,
        draft: Callable[[int], D],
        sink: Callable[[D], None],
        settings: KeeperSettings | None = None,
        *,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or KeeperSettings()
        self._policy = policy or policy_of(self._settings, clock)
        self._known_to_keep = self._policy is keep_all
        self._make, self._sink, self._clock = draft, sink, clock
        self._lock = threading.RLock()
        self._open: OrderedDict[int, _Open[D]] = OrderedDict()
        self._decided: OrderedDict[int, bool] = OrderedDict()
        self._going: dict[int, D] = {}  # kept, to be handed over at the next settle
        self._passed: OrderedDict[int, D] = OrderedDict()
        self._pins: OrderedDict[int, None] = OrderedDict()
        self._open_bytes = self._passed_bytes = self._going_bytes = 0
        self._kept = self._pass_count = self._late = self._left_out = self._hurried = 0
        self._reasons: dict[str, int] = {}

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Gather spans; whatever is decided and complete goes to the sink at the next `settle`."""
        with self._lock:
            for record in records:
                decision = self._decided.get(record.trace_id)
                if decision is None:
                    self._gather(record)
                elif decision:
                    self._late += not self._known_to_keep
                    self._add(self._going_draft(record.trace_id), record, going=True)
                else:
                    self._join_passed(record)
            self._make_room()

    def settle(self) -> None:
        """Hand over what is kept, and decide traces that have waited long enough."""
        with self._lock:
            now = self._clock()
            for trace_id in [key for key, held in self._open.items() if held.due <= now]:
                self._hurried += not self._open[trace_id].rooted
                self._decide(trace_id)
            self._make_room()
            self._hand_over()

    def pin(self, trace_id: int) -> bool:
        """Keep a trace whatever the policy says; whether it was here, or is remembered as kept already."""
        with self._lock:
            if trace_id in self._open:
                self._remember_pin(trace_id)
                return True
            passed = self._passed.pop(trace_id, None)
            if passed is not None:
                self._passed_bytes -= passed.size_bytes
                self._decided[trace_id] = True
                self._pass_count -= 1
                self._count_kept("pinned")
                self._going[trace_id] = passed
                self._going_bytes += passed.size_bytes
                return True
            if self._decided.get(trace_id):
                return True
            self._decided.pop(trace_id, None)  # passed and gone from the ring: what is still to come may be kept
            self._remember_pin(trace_id)
            return False

    def close(self) -> None:
        """Decide and hand over everything, as it stands."""
        with self._lock:
            for trace_id in list(self._open):
                self._decide(trace_id)
            self._make_room()
            self._hand_over()

    def status(self) -> KeeperStatus:
        """Counts and sizes."""
        with self._lock:
            return KeeperStatus(
                open_traces=len(self._open),
                open_bytes=self._open_bytes,
                kept=self._kept,
                passed=self._pass_count,
                pinned=len(self._pins),
                late=self._late,
                left_out=self._left_out,
                hurried=self._hurried,
                passed_held=len(self._passed),
                passed_bytes=self._passed_bytes,
                reasons=dict(self._reasons),
            )

    def _gather(self, record: SpanRecord) -> None:
        trace_id = record.trace_id
        if self._known_to_keep:
            self._remember(trace_id, keep=True)
            self._count_kept("all")
            self._add(self._going_draft(trace_id), record, going=True)
            return
        held = self._open.get(trace_id)
        if held is None:
            held = self._open[trace_id] = _Open(
                self._make(trace_id), self._clock() + self._settings.wait, record.start_ns
            )
        self._open_bytes += self._add(held.draft, record)
        held.failed = held.failed or record.status == ERROR
        held.start_ns = min(held.start_ns, record.start_ns)
        held.end_ns = max(held.end_ns, record.end_ns)
        if record.entry:
            held.rooted = True
            if not record.parent_id:
                held.name, held.start_ns, held.end_ns = record.name, record.start_ns, record.end_ns
                self._decide(trace_id)
            else:  # a part of somebody else's trace: more of it may come
                held.name = held.name or record.name
                held.due = min(held.due, self._clock() + self._settings.linger)

    def _add(self, draft: D, record: SpanRecord, *, going: bool = False) -> int:
        if draft.spans >= self._settings.spans:
            self._left_out += 1
            return 0
        before = draft.size_bytes
        draft.add(record)
        grown = draft.size_bytes - before
        if going:
            self._going_bytes += grown
        return grown

    def _decide(self, trace_id: int) -> None:
        held = self._open.pop(trace_id)
        self._open_bytes -= held.draft.size_bytes
        reason = self._policy(Ended(held.name, max(held.end_ns - held.start_ns, 0), held.failed))
        if trace_id in self._pins:
            del self._pins[trace_id]
            reason = "pinned"
        self._remember(trace_id, keep=reason is not None)
        if reason is not None:
            self._count_kept(reason)
            self._going[trace_id] = held.draft
            self._going_bytes += held.draft.size_bytes
        else:
            self._pass_count += 1
            self._passed[trace_id] = held.draft
            self._passed_bytes += held.draft.size_bytes

    def _join_passed(self, record: SpanRecord) -> None:
        self._late += 1
        draft = self._passed.get(record.trace_id)
        if draft is not None:
            self._passed_bytes += self._add(draft, record)

    def _going_draft(self, trace_id: int) -> D:
        draft = self._going.get(trace_id)
        if draft is None:
            draft = self._going[trace_id] = self._make(trace_id)
        return draft

    def _hand_over(self) -> None:
        going, self._going, self._going_bytes = self._going, {}, 0
        for draft in going.values():
            self._sink(draft)

    def _make_room(self) -> None:
        settings = self._settings
        while self._open and (len(self._open) > settings.traces or self._open_bytes > settings.size):
            self._hurried += 1
            self._decide(next(iter(self._open)))
        if self._going_bytes > settings.size // 4 or len(self._going) > settings.traces:
            self._hand_over()
        while self._passed and (
            len(self._passed) > settings.passed_traces or self._passed_bytes > settings.passed_size
        ):
            _, gone = self._passed.popitem(last=False)
            self._passed_bytes -= gone.size_bytes

    def _count_kept(self, reason: str) -> None:
        self._kept += 1
        self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def _remember(self, trace_id: int, *, keep: bool) -> None:
        self._decided[trace_id] = keep
        if len(self._decided) > (MAX_KNOWN_TO_KEEP if self._known_to_keep else MAX_DECISIONS):
            self._decided.popitem(last=False)

    def _remember_pin(self, trace_id: int) -> None:
        self._pins[trace_id] = None
        if len(self._pins) > MAX_PINS:
            self._pins.popitem(last=False)
