"""The user's papers as one collection: documents and mails, searchable together, read through shared readers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from pea.workspace.documents import Document
from pea.workspace.documents_store import SHARED as DOCUMENTS
from pea.workspace.documents_store import DocumentStore
from pea.workspace.files import SourceReport
from pea.workspace.mail import Message
from pea.workspace.mail.store import SHARED as MAIL
from pea.workspace.search import SearchIndex
from pea.workspace.text.passages import Passage

STAMP = "mail 1"
COMMIT_EVERY = 500
MAIL_PREFIX = "mail:"


class Sources:
    """Owns an index of the mails beside the documents' own; ``state`` is the folder that keeps both between runs."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._place = (workspace, state)
        self.documents: DocumentStore = DOCUMENTS.open(workspace, state)
        self._mail = MAIL.open(workspace, state)
        scope = hashlib.sha256(str(workspace.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        path = None if state is None else state / f"research-{scope}.sqlite"
        self._index = SearchIndex(path, commit_every=COMMIT_EVERY)
        self._by_path: dict[str, Message] = {}
        self._indexed = set(self._index.paths())
        self._version = ""
        self._pending = 0
        self._lock = threading.Lock()  # questions asked side by side read once

    def close(self) -> None:
        """Close the index, and let go of the shared readers."""
        self._index.close()
        MAIL.release(*self._place)
        DOCUMENTS.release(*self._place)

    def refresh(self, budget_s: float) -> None:
        """Read and index what is new, for about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        with self._lock:
            self._refresh(budget_s)

    def _refresh(self, budget_s: float) -> None:
        until = time.monotonic() + budget_s
        self.documents.refresh(budget_s=budget_s / 2)
        self._mail.refresh(budget_s=max(0.0, until - time.monotonic()))
        if self._mail.version == self._version and not self._pending:
            return
        self._version = self._mail.version
        self._by_path = {f"{MAIL_PREFIX}{message.id}": message for message in self._mail.messages}
        self._index.remove(self._indexed - set(self._by_path))
        self._indexed &= set(self._by_path)
        waiting = [path for path in self._by_path if path not in self._indexed]
        for count, path in enumerate(waiting):
            if time.monotonic() >= until:
                self._pending = len(waiting) - count
                break
            self._index.put(_as_document(path, self._by_path[path]), STAMP)
            self._indexed.add(path)
        else:
            self._pending = 0
        self._index.flush()
        self.spread.cache_clear()

    @property
    def version(self) -> str:
        """Changes whenever a paper does, or one more has been indexed."""
        return f"{self.documents.version}|{self._mail.version}|{self._pending}"

    @property
    def count(self) -> int:
        """How many papers there are."""
        return len(self.documents.cards) + len(self._indexed)

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self.documents.report().merged(self._mail.report())

    def notes(self) -> tuple[str, ...]:
        """What to say when not all was read."""
        pending = self._pending + self.report().pending
        return (f"{pending} papers are not read yet; ask again for a fuller answer",) if pending else ()

    @lru_cache(maxsize=4_096)  # noqa: B019 - cleared at each refresh; one instance lives as long as its agent
    def spread(self, word: str) -> int:
        """In how many papers a word stands."""
        return self.documents.spread(word) + self._index.spread(word)

    def some(self, words: Iterable[str], limit: int) -> list[Document]:
        """The papers that hold the most telling of some words: the best documents and the best mails in turn."""
        terms = tuple(words)
        papers = [self.paper(path) for path in self.documents.some(terms, limit)]
        papers += [self.paper(path) for path in self._index.some(terms, limit)]
        return [paper for paper in papers if paper is not None]

    def paper(self, path: str) -> Document | None:
        """A document or a mail by its path."""
        if path.startswith(MAIL_PREFIX):
            message = self._by_path.get(path)
            return None if message is None else _as_document(path, message)
        return self.documents.document(path)

    def message(self, path: str) -> Message | None:
        """The mail behind a path, if it is one."""
        return self._by_path.get(path)

    def shown(self, path: str) -> str:
        """Where a paper lies, as a path in the workspace."""
        message = self._by_path.get(path)
        return path if message is None else self._mail.place(message.id) or path


def _as_document(path: str, message: Message) -> Document:
    """A mail as a paper: its own words only, each paragraph with who wrote it when."""
    who = message.sender.shown if message.sender is not None else "somebody"
    when = f" on {message.date:%d %b %Y}" if message.date is not None else ""
    place = f"mail from {who}{when}"
    paragraphs = [part.strip() for part in message.text.split("\n\n")]
    passages = tuple(Passage(part, place) for part in paragraphs if part)
    return Document(path, message.subject or "(no subject)", "mail", passages)
