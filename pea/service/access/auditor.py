"""What is written to the audit log one by one, and what only as a sum: no flood may push what matters out of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pea.config import AuditSettings, Settings
from pea.service.access.audit import FOLDER, Entry
from pea.service.access.audit_log import AuditLog

SUM_EVERY_S = 60.0
MAX_SUMS = 256


def utc_text() -> str:
    """The present as RFC 3339 has it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Auditor:
    """The audit of one service; without a state folder, or where it is switched off, nothing is kept.

    Telemetry that came in and requests that showed no valid token are summed by who sent them, once a minute: a sender
    of spans, or a stranger who tries tokens, could otherwise fill the log's files with what nobody asks for.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic, now: Callable[[], str] = utc_text
    ) -> None:
        own: AuditSettings = settings.access.audit
        self.log = AuditLog(Path(settings.state) / FOLDER, own, now) if settings.state and own.on else None
        self.now = now
        self._clock = clock
        self._sums: dict[tuple[str, ...], Entry] = {}
        self._summed_at = clock()

    async def open(self) -> None:
        """Begin to write. Raises ConfigError when the folder cannot be used."""
        if self.log is not None:
            await asyncio.to_thread(self.log.open)

    async def close(self) -> None:
        """Write what has not been written."""
        if self.log is not None:
            self.flush()
            await asyncio.to_thread(self.log.close)

    def require(self) -> None:
        """Raise AuditUnavailable while nothing can be written."""
        if self.log is not None:
            self.log.require()

    async def record(self, entry: Entry, *, often: bool) -> None:
        """Keep an entry: in the file when this returns, or, of what comes ``often``, in this minute's sum."""
        if often:
            self.note(entry, often=True)
        elif self.log is not None:
            await self.log.append(entry)

    def note(self, entry: Entry, *, often: bool) -> None:
        """Keep an entry as `record` does, without waiting for it."""
        if self.log is None:
            return
        if not often:
            self.log.note(entry)
            return
        self._sum(entry)
        if self._clock() - self._summed_at >= SUM_EVERY_S or len(self._sums) >= MAX_SUMS:
            self.flush()

    def flush(self) -> None:
        """Write the sums."""
        sums, self._sums = self._sums, {}
        self._summed_at = self._clock()
        for entry in sums.values():
            self.note(entry, often=False)

    def _sum(self, entry: Entry) -> None:
        key = (entry.operation, str(entry.status), entry.token, entry.remote)
        before = self._sums.get(key)
        count = 1 if before is None else before.count + 1
        first = entry if before is None else before
        self._sums[key] = msgspec.structs.replace(first, event="requests", count=count)
