"""Writes the audit log: appended by one thread, chained, rotated, and on disk when it says so.

A request's record is in the file before its answer goes out, so that it outlives the process; with ``fsync: always`` it
is on the disk by then, else within a second. While the log cannot be written nothing may be changed: requests that
would are answered with 503, and the records that wait are written first when the disk is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from pea.config import AuditSettings
from pea.errors import ConfigError
from pea.service.access.audit import Entry, Head, audit_files, audit_name, chained, lines, unchained
from pea.service.refusals import AuditUnavailable
from pea.telemetry import get_logger

MAX_WAITING = 10_000
SYNC_EVERY_S = 1.0
CLOSE_S = 5.0

log = get_logger("pea.service.access")


class _Waiting(msgspec.Struct):
    entry: Entry
    done: Callable[[], None] | None


class AuditLog:
    """The log of one service, from `open` to `close`; one process writes a folder at a time."""

    def __init__(self, folder: Path, settings: AuditSettings, now: Callable[[], str]) -> None:
        self.folder = folder
        self.problem: str | None = None
        self.head = Head()
        self._settings = settings
        self._now = now
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._lost = 0  # entries that found no room, since that was last told
        self._descriptor = -1
        self._lock = -1
        self._size = 0
        self._unsynced = False
        self._synced_at = 0.0

    def open(self) -> None:
        """Find the chain's end and go on from it. Raises ConfigError when the folder cannot be used."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            torn = self._resume()
        except BlockingIOError:
            self._release()
            fix = "stop the other service, or give this one another state folder"
            raise ConfigError("another service writes this audit log", where=str(self.folder), fix=fix) from None
        except OSError as error:
            self._release()
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(self.folder)) from error
        if torn:
            self._put(Entry(event="torn", at=self._now(), detail=f"{torn:,} bytes of an unfinished line were dropped"))
        self._put(Entry(event="opened", at=self._now()))
        self._thread = threading.Thread(target=self._run, name="pea-audit", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Raise AuditUnavailable while nothing can be written."""
        if self.problem is not None or len(self._waiting) >= MAX_WAITING:
            raise AuditUnavailable(
                f"the audit log cannot be written: {self.problem or 'too much waits to be'}",
                where=str(self.folder),
                fix="make room there; nothing is to be restarted",
                headers={"Retry-After": "1"},
            )

    async def append(self, entry: Entry) -> None:
        """Add an entry; returns when it is in the file, or when it turned out that it cannot be for now."""
        loop = asyncio.get_running_loop()
        written = loop.create_future()

        def done() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, written)

        self._put(entry, done)
        await written

    def note(self, entry: Entry) -> None:
        """Add an entry without waiting for it; where too much waits already it is only counted, and told of later."""
        if len(self._waiting) >= MAX_WAITING:
            self._lost += entry.count
            return
        self._tell_lost()
        self._put(entry)

    def close(self) -> None:
        """Write what waits, put it on disk and let go of the folder; blocks for seconds at most."""
        if self._thread is None:
            return
        self._tell_lost()
        self._put(Entry(event="closed", at=self._now()))
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(CLOSE_S)
        self._thread = None
        log.info("the audit log is closed", seq=self.head.seq, hash=self.head.hash)

    def _tell_lost(self) -> None:
        if self._lost:
            lost, self._lost = self._lost, 0
            self._put(Entry(event="lost", at=self._now(), count=lost))

    def _put(self, entry: Entry, done: Callable[[], None] | None = None) -> None:
        with self._wake:
            self._waiting.append(_Waiting(entry, done))
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._stopping:
                    self._wake.wait(SYNC_EVERY_S if self._unsynced else None)
                elif self.problem is not None and not self._stopping:
                    self._wake.wait(SYNC_EVERY_S)  # the disk is full or gone: tried again once a second
                batch = list(self._waiting)
                stopping = self._stopping
            self._write(batch)
            if stopping and (self.problem is not None or not self._waiting):
                self._end()
                return

    def _end(self) -> None:
        try:
            self._sync()
        except OSError as error:
            log.error("the audit log's last second may not be on the disk", reason=str(error))
        finally:
            self._release()

    def _write(self, batch: list[_Waiting]) -> None:
        """Write a batch or none of it, and wake those who wait for it."""
        try:
            written = self._chain(batch)
        except OSError as error:
            written = 0
            if self.problem is None:
                log.error("the audit log cannot be written, so nothing may be changed", reason=str(error))
            self.problem = error.strerror or str(error)
        else:
            if self.problem is not None:
                log.info("the audit log can be written again")
            self.problem = None
        with self._wake:
            for _ in range(written):
                self._waiting.popleft()
        for item in batch:
            if item.done is not None:
                item.done()
                item.done = None

    def _chain(self, batch: list[_Waiting]) -> int:
        """Append the batch's lines; how many there were. Raises OSError when none is in the file."""
        head, out = self.head, bytearray()
        for item in batch:
            line, head = chained(item.entry, head)
            out += line
        always = self._settings.fsync == "always"
        if not always and time.monotonic() - self._synced_at >= SYNC_EVERY_S:
            self._sync()
        if out:
            if self._size and self._size + len(out) > self._settings.size:
                self._rotate()
            self._append(bytes(out), sync=always)
            self.head = head
        return len(batch)

    def _append(self, data: bytes, *, sync: bool) -> None:
        """Append all of it, or leave the file as it was. Raises OSError."""
        if self._descriptor < 0:
            self._begin()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
            self._unsynced = True
            if sync:
                self._sync()
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def _rotate(self) -> None:
        """End the file; the next is begun with the next record. The oldest ones go."""
        self._sync()
        os.close(self._descriptor)
        self._descriptor, self._size = -1, 0
        log.info("a file of the audit log is full", seq=self.head.seq, hash=self.head.hash)
        for path in audit_files(self.folder)[: 1 - self._settings.files]:
            path.unlink()

    def _begin(self) -> None:
        path = self.folder / audit_name(self.head.seq + 1)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._size = 0

    def _sync(self) -> None:
        if self._unsynced and self._descriptor >= 0:
            os.fsync(self._descriptor)
            self._unsynced = False
        self._synced_at = time.monotonic()

    def _resume(self) -> int:
        """Take up the last file; how many bytes of an unfinished line were dropped from it."""
        files = audit_files(self.folder)
        if not files:
            return 0
        torn = _torn(files[-1])
        self._descriptor = os.open(files[-1], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = os.fstat(self._descriptor).st_size - torn
        if torn:
            os.ftruncate(self._descriptor, self._size)
        for path in reversed(files):  # a crash may have left the last one empty
            if (head := _head(path)) is not None:
                self.head = head
                break
        return torn

    def _release(self) -> None:
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1


def _torn(path: Path) -> int:
    """How many bytes a crash has left after the file's last whole line."""
    torn = 0
    for line in lines(path):
        torn = 0 if line.endswith(b"\n") else torn + len(line)
    return torn


def _head(path: Path) -> Head | None:
    """The chain's end in a file; None when it is empty."""
    count, last = 0, b""
    for line in lines(path):
        count, last = count + 1, line
    if not count:
        return None
    try:
        record = unchained(last)
    except ValueError as error:
        log.error("the audit log's last line is broken; see pea audit verify", file=path.name, reason=str(error))
        return Head(int(path.stem.rpartition("-")[2]) + count - 1)
    return Head(record.seq, record.hash)


def _resolve(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
