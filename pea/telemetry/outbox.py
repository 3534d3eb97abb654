"""The way out: bounded queues in front of one worker thread, so that no receiver can hold up the event loop.

Encoded parcels wait in a line per signal. A line that is full refuses (and counts) what comes next; a receiver that is
down, slow or refusing costs only the worker's time. Closing takes a stated time, whatever the receiver does.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence

from pea.telemetry.otlp_target import OtlpTarget
from pea.telemetry.senders import Parcel, Sender, sender
from pea.telemetry.status import ExportStatus

_log = logging.getLogger(__name__)


class Line:
    """One signal's queue and the account of what became of its items."""

    __slots__ = (
        "_make",
        "_sender",
        "dropped",
        "exported",
        "failed",
        "last_error",
        "last_error_ns",
        "max_items",
        "parcels",
        "queued",
        "target",
    )

    def __init__(
        self,
        target: OtlpTarget,
        *,
        max_items: int,
        make: Callable[[OtlpTarget], Sender] = sender,
    ) -> None:
        self.target = target
        self.max_items = max_items
        self.parcels: deque[Parcel] = deque()
        self.queued = self.exported = self.failed = self.dropped = 0
        self.last_error = ""
        self.last_error_ns = 0
        self._make = make
        self._sender: Sender | None = None

    def deliver(self, parcel: Parcel) -> str:
        """Send one parcel; empty when it was taken, else the reason. Runs on the worker."""
        try:
            payload = parcel.payload if isinstance(parcel.payload, bytes) else parcel.payload()
            if not payload:
                return ""
            if self._sender is None:
                self._sender = self._make(self.target)
            return self._sender.send(payload, parcel.items)
        except Exception as error:  # noqa: BLE001 - a bad certificate path or a library's fault must not end the worker
            return f"{type(error).__name__}: {error}"

    def disconnect(self) -> None:
        """Close the sender, also under a delivery that hangs."""
        if self._sender is not None:
            try:
                self._sender.close()
            except Exception:  # noqa: BLE001 - nothing is left to be done with a connection that does not close
                _log.debug("closing the %s exporter failed", self.target.signal, exc_info=True)
            self._sender = None

    def account(self, parcel: Parcel, error: str) -> None:
        """Count what became of a parcel."""
        if error:
            self.failed += parcel.items
            self.last_error, self.last_error_ns = error, time.time_ns()
        else:
            self.exported += parcel.items

    def status(self) -> ExportStatus:
        """The account as data."""
        return ExportStatus(
            signal=self.target.signal,
            endpoint=self.target.endpoint,
            protocol=self.target.protocol,
            exported=self.exported,
            failed=self.failed,
            dropped=self.dropped,
            queued=self.queued,
            last_error=self.last_error,
            last_error_ns=self.last_error_ns,
        )


class Outbox:
    """Lines and their worker thread, which starts with the first parcel."""

    def __init__(self, lines: Sequence[Line], clock: Callable[[], float] = time.monotonic) -> None:
        self.lines = tuple(lines)
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy: Line | None = None
        self._closing = False
        _live.add(self)

    def put(self, line: Line, parcel: Parcel) -> bool:
        """Queue a parcel; False, and counted, when the line is full or closed. Never blocks on a receiver."""
        with self._changed:
            full = line.queued + parcel.items > line.max_items
            if self._closing or (full and line.parcels):
                line.dropped += parcel.items
                return False
            line.parcels.append(parcel)
            line.queued += parcel.items
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pea-export", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued has been delivered or refused; whether that happened in time."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Deliver what can be delivered in time, count the rest as dropped, and stop; whether all was delivered."""
        with self._changed:
            if self._closing:
                return self._idle()
            self._closing = True
            self._changed.notify_all()
            done = self._changed.wait_for(self._idle, timeout_s)
            for line in self.lines:
                line.dropped += sum(parcel.items for parcel in line.parcels)
                line.parcels.clear()
                line.queued = line.queued if line is self._busy else 0
        for line in self.lines:
            line.disconnect()
        return done

    def _idle(self) -> bool:
        return self._busy is None and not any(line.parcels for line in self.lines)

    def _work(self) -> None:
        turn = 0
        while True:
            with self._changed:
                self._busy = None
                self._changed.notify_all()
                while not any(line.parcels for line in self.lines):
                    if self._closing:
                        return
                    self._changed.wait()
                # Lines take turns, so that many spans do not keep metrics waiting.
                turn = next(t for t in range(turn + 1, turn + 1 + len(self.lines)) if self._line(t).parcels)
                line = self._busy = self._line(turn)
                parcel = line.parcels.popleft()
            error = line.deliver(parcel)
            with self._changed:
                line.queued = max(line.queued - parcel.items, 0)
                line.account(parcel, error)

    def _line(self, turn: int) -> Line:
        return self.lines[turn % len(self.lines)]

    def _after_fork(self) -> None:
        """In a child: the thread is gone, a lock may be held for ever, and the parcels are the parent's to send."""
        self._changed = threading.Condition()
        self._thread = self._busy = None
        for line in self.lines:
            line.parcels.clear()
            line.queued = 0
            line._sender = None


_live: weakref.WeakSet[Outbox] = weakref.WeakSet()


def _after_fork() -> None:
    for outbox in list(_live):
        outbox._after_fork()


os.register_at_fork(after_in_child=_after_fork)
