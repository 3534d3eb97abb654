"""All documents of a workspace, read once each into the search index, which is also where their text stays."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.workspace.documents import READER_VERSION, Document, read_document
from pea.workspace.files import Done, Fingerprint, Folder, Outcome, SourceReport
from pea.workspace.search import SearchIndex, discard, stamp_of
from pea.workspace.search_hits import Card, Hit
from pea.workspace.shared import Shared

T = TypeVar("T")

COMMIT_EVERY = 64  # documents; a commit costs as much as reading one, and another process waits no longer than this


class DocumentStore:
    """Reads the documents folder incrementally and answers searches; the index lives in ``state``, else in memory."""

    def __init__(self, workspace: Path, *, name: str = "documents", state: Path | None = None) -> None:
        self._workspace = workspace
        self._name = name
        scope = hashlib.sha256(str(workspace.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        self._path = None if state is None else state / f"documents-{scope}.sqlite"
        self._lock = threading.Lock()
        self._begin(self._path)

    def refresh(self, *, budget_s: float | None = None, done: Done | None = None) -> None:
        """Read what is new or changed, for at most about ``budget_s`` seconds; the rest stays pending.

        Raises WorkspaceError when the workspace is no folder.
        """
        with self._lock:
            self._safely(lambda: self._refresh(budget_s, done))

    def search(self, query: str, limit: int) -> tuple[list[Hit], bool]:
        """The best documents for a query, and whether they hold all its words."""
        return self._safely(lambda: self._index.search(query, limit))

    def spread(self, term: str) -> int:
        """In how many documents a word stands."""
        return self._safely(lambda: self._index.spread(term))

    def some(self, terms: tuple[str, ...], limit: int) -> list[str]:
        """The paths of the documents that hold the most telling of some words, best first."""
        return self._safely(lambda: self._index.some(terms, limit))

    def document(self, path: str) -> Document | None:
        """A document's text by its path in the workspace."""
        return self._safely(lambda: self._index.document(path))

    @property
    def cards(self) -> Mapping[str, Card]:
        """What has been read, by path in the workspace."""
        return self._folder.items

    @property
    def version(self) -> str:
        """Changes whenever what was read does; see `Folder.version`."""
        return self._folder.version

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self._folder.report()

    @property
    def trouble(self) -> str:
        """Why the index is not on disk, or had to be begun anew; empty when all is well."""
        return self._index.trouble

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _begin(self, path: Path | None) -> None:
        self._index = SearchIndex(path, commit_every=COMMIT_EVERY)
        self._memory = _IndexMemory(self._index)
        self._folder: Folder[Card] = Folder(
            self._workspace,
            self._name,
            read=self._memory.read,
            notes=lambda card: card.notes,
            memory=self._memory,
        )
        self._swept = False

    def _refresh(self, budget_s: float | None, done: Done | None = None) -> None:
        self._folder.refresh(budget_s=budget_s, done=done)
        if not self._swept and not self._folder.report().pending:
            # What an earlier process indexed and has since been deleted.
            self._index.remove(set(self._index.paths()) - self._memory.seen)
            self._index.flush()
            self._memory.seen.clear()
            self._swept = True

    def _safely(self, action: Callable[[], T]) -> T:
        """Run ``action``; when the index fails it, begin anew (in memory if the disk is at fault) and run it again."""
        try:
            return action()
        except sqlite3.Error as error:
            trouble = f"{error}; begun anew"
            on_disk = self._path is not None and not isinstance(error, sqlite3.OperationalError)
            self._index.close()
            if on_disk and self._path is not None:
                discard(self._path)
            self._begin(self._path if on_disk else None)
            self._index.trouble = trouble
            self._refresh(None)
            return action()


class _IndexMemory:
    """Lets a Folder remember through the search index; implements ``pea.workspace.files.Memory``."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._read: Document | None = None
        self.seen: set[str] = set()

    def read(self, path: Path) -> Card:
        """Read a file; its text waits here for ``keep``, which follows at once."""
        document = self._read = read_document(path)
        return Card(document.title, document.kind, document.chars, document.notes)

    def recall(self, path: str, fingerprint: Fingerprint) -> Outcome[Card] | None:
        known = self._index.known(path, stamp_of(fingerprint, READER_VERSION))
        if known is None:
            return None
        self.seen.add(path)
        return Outcome(reason=known) if isinstance(known, str) else Outcome(value=known)

    def keep(self, path: str, fingerprint: Fingerprint, outcome: Outcome[Card]) -> None:
        stamp = stamp_of(fingerprint, READER_VERSION)
        if outcome.value is None:
            self._index.put_refusal(path, outcome.reason, stamp)
        elif self._read is not None:
            self._index.put(msgspec.structs.replace(self._read, path=path), stamp)
        self._read = None
        self.seen.add(path)

    def forget(self, paths: Iterable[str]) -> None:
        self._index.remove(paths)

    def flush(self) -> None:
        """Commit what was kept."""
        self._index.flush()


# What the agents of one process read documents through.
SHARED: Shared[DocumentStore] = Shared(
    lambda workspace, state: DocumentStore(workspace, state=state), DocumentStore.close
)
