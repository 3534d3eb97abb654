"""A folder of the user's files, read once each, and again only when a file has changed.

A ``Folder`` owns what was read from one folder of the workspace. ``refresh()`` walks the folder, reads what is new or
changed and forgets what is gone; everything that cannot be read is kept as a ``Refusal`` that names the file and the
reason, so that one bad file never takes the others with it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from pea.errors import WorkspaceError
from pea.workspace.files_report import Complaints, Refusal, SourceReport, Unreadable, plain_reason
from pea.workspace.files_walk import Found, Walk, inside, read_bytes, shown, too_large

__all__ = [
    "Changes",
    "Done",
    "Fingerprint",
    "Folder",
    "Memory",
    "Outcome",
    "Refusal",
    "SourceReport",
    "Unreadable",
    "inside",
    "plain_reason",
    "read_bytes",
    "shown",
]

T = TypeVar("T")

Done = Callable[[int], None]  # told the bytes of a file that has been looked at, for a progress bar

MAX_FILES = 50_000
MAX_FILE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 4 << 30


class Changes(msgspec.Struct, frozen=True):
    """What one refresh found, as paths relative to the workspace."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """What tells that a file has changed without opening it (ctime sees an edit that restored its mtime)."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Fingerprint:
        """The fingerprint of a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class Outcome(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """What reading one file gave: a value, or the reason why there is none."""

    value: T | None = None
    reason: str = ""


class Memory(Protocol[T]):
    """Where outcomes outlive the process; see ``pea.workspace.files_cache.ReadCache``."""

    def recall(self, path: str, fingerprint: Fingerprint) -> Outcome[T] | None:
        """What was read from this very version of the file, or None."""

    def keep(self, path: str, fingerprint: Fingerprint, outcome: Outcome[T]) -> None:
        """Remember an outcome; may be written later."""

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what was read from files that are gone."""

    def flush(self) -> None:
        """Write what is waiting."""


class _Entry(NamedTuple, Generic[T]):
    fingerprint: Fingerprint
    outcome: Outcome[T]


class Folder(Generic[T]):
    """The files of one folder of the workspace, each read by ``read`` into a T; safe to use from several threads.

    ``accepts`` says by its path in the workspace whether a file is of the right kind; ``read`` is given the real path
    and raises anything when it cannot (``Unreadable`` carries the reason as it will be shown). ``count`` says how many
    items a T holds, ``notes`` what is wrong inside a file that was read in part. ``memory`` keeps outcomes between
    processes. Hidden files are skipped; links that leave the workspace, pipes, devices, files over the limits and
    files that ``read`` raised for are refused by name.
    """

    def __init__(
        self,
        workspace: Path,
        name: str,
        *,
        read: Callable[[Path], T],
        accepts: Callable[[PurePosixPath], bool] = lambda _path: True,
        count: Callable[[T], int] = lambda _value: 1,
        notes: Callable[[T], Iterable[str]] = lambda _value: (),
        max_files: int = MAX_FILES,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        memory: Memory[T] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workspace = workspace.resolve()
        self.name = name
        self._read = read
        self._accepts = accepts
        self._count = count
        self._notes = notes
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._max_total_bytes = max_total_bytes
        self._memory = memory
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry[T]] = {}
        self._items: Mapping[str, T] = MappingProxyType({})
        self._report = SourceReport()
        self._version = ""

    @property
    def items(self) -> Mapping[str, T]:
        """What was read, by path relative to the workspace: a snapshot that later refreshes do not change."""
        return self._items

    def report(self) -> SourceReport:
        """What the last refresh read and refused."""
        return self._report

    @property
    def version(self) -> str:
        """A digest of which files were read in which state: equal for equal contents of the folder, in any process."""
        if not self._version:
            told = sorted((key, entry.fingerprint) for key, entry in self._entries.items())
            self._version = hashlib.blake2b(msgspec.msgpack.encode(told), digest_size=12).hexdigest()
        return self._version

    def refresh(self, *, budget_s: float | None = None, done: Done | None = None) -> Changes:
        """Read what is new or changed, forget what is gone, and say which; one refresh runs at a time.

        After ``budget_s`` seconds no further file is read: the rest are ``pending`` in the report until a later
        refresh, and a changed file's earlier version is served meanwhile. ``done`` is told the size of each file that
        has been looked at. Raises WorkspaceError only when the workspace itself is no folder.
        """
        with self._lock:
            if not self.workspace.is_dir():
                raise WorkspaceError(
                    "is not a folder", where=shown(str(self.workspace)), fix="set workspace to an existing folder"
                )
            return self._refresh(None if budget_s is None else self._clock() + budget_s, done)

    def _refresh(self, until: float | None, done: Done | None) -> Changes:
        refused = Complaints()
        walk = Walk(self.workspace, self._accepts, refused)
        before, entries = self._entries, dict[str, _Entry[T]]()
        added, changed, unchanged, pending, total = list[str](), list[str](), 0, 0, 0
        for found in walk.files(self.name):
            key, fingerprint, old = found.key, Fingerprint.of(found.status), before.get(found.key)
            entry: _Entry[T] | None = None
            refusal = self._over_limit(entries, key, fingerprint.size, total)
            if refusal:
                refused.add(key, refusal)
            elif old is not None and old.fingerprint == fingerprint:
                entry, unchanged = old, unchanged + (old.outcome.value is not None)
            elif until is not None and self._clock() >= until:
                entry, pending = old, pending + 1
            else:
                entry = self._entry(found, fingerprint, refused)
                if entry is not None:
                    (added if old is None else changed).append(key)
            if entry is not None:
                entries[key] = entry
                total += fingerprint.size
                if entry.outcome.reason:
                    refused.add(key, entry.outcome.reason)
            if done is not None:
                done(fingerprint.size)
        removed = [key for key in before if key not in entries]
        if self._memory is not None:
            self._memory.forget(removed)
            self._memory.flush()
        self._entries = entries
        if added or changed or removed:
            values = ((key, entry.outcome.value) for key, entry in entries.items())
            self._items = MappingProxyType({key: value for key, value in values if value is not None})
            self._version = ""
        self._report = self._summary(refused, unchanged, walk.ignored, pending)
        return Changes(tuple(added), tuple(changed), tuple(removed))

    def _over_limit(self, entries: Mapping[str, object], key: str, size: int, total: int) -> str:
        if size > self._max_file_bytes:
            return too_large(size, self._max_file_bytes)
        if key in entries:
            return "another file's name looks the same"
        if len(entries) >= self._max_files:
            return f"the folder holds more than {self._max_files:,} files"
        if total + size > self._max_total_bytes:
            return f"the folder's files are larger than {self._max_total_bytes:,} bytes together"
        return ""

    def _entry(self, found: Found, fingerprint: Fingerprint, refused: Complaints) -> _Entry[T] | None:
        """Read one file, or recall it; None when what stands in the way may pass, so that it is tried again."""
        if self._memory is not None:
            known = self._memory.recall(found.key, fingerprint)
            if known is not None:
                return _Entry(fingerprint, known)
        try:
            outcome = Outcome(value=self._read(found.path))
        except FileNotFoundError:  # it went away between the walk and the reading: as if it had never been
            return None
        except (OSError, MemoryError) as error:
            refused.add(found.key, plain_reason(error))
            return None
        except Exception as error:  # noqa: BLE001 - files are untrusted: whatever a parser raises is about this file
            outcome = Outcome(reason=plain_reason(error))
        if self._memory is not None:
            self._memory.keep(found.key, fingerprint, outcome)
        return _Entry(fingerprint, outcome)

    def _summary(self, refused: Complaints, unchanged: int, ignored: int, pending: int) -> SourceReport:
        notes = Complaints()
        for key, value in self._items.items():
            for note in self._notes(value):
                notes.add(key, note)
        return SourceReport(
            read=len(self._items),
            unchanged=unchanged,
            items=sum(map(self._count, self._items.values())),
            refused=tuple(refused.first),
            refused_count=refused.count,
            notes=tuple(notes.first),
            notes_count=notes.count,
            ignored=ignored,
            pending=pending,
        )
