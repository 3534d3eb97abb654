"""The documents of a workspace as the documents agent works on them: read, searched, named, summed up.

Everything here is plain and synchronous; the agent runs it off the event loop.
"""

from __future__ import annotations

import difflib
from pathlib import Path, PurePosixPath

import msgspec

from pea import InputError
from pea.agents._document_views import Facts, Pages, Piece, SearchResult, Summary, facts_text, hits_text, summary_text
from pea.agents._duties import duties_of
from pea.agents._summary import amounts_of, dates_of, summarise
from pea.workspace.documents import Document
from pea.workspace.documents_store import SHARED, DocumentStore
from pea.workspace.files import SourceReport


class Library:
    """Owns the index of one workspace's documents; ``state`` is the folder that keeps it between runs."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._place = (workspace, state)
        self._store = SHARED.open(workspace, state)

    def close(self) -> None:
        """Let go of the index, which other agents may still read."""
        SHARED.release(*self._place)

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._store.refresh(budget_s=budget_s)

    @property
    def version(self) -> str:
        """Changes whenever the documents do."""
        return self._store.version

    def search(self, query: str, limit: int) -> SearchResult:
        """Documents that answer a query, best first."""
        hits, all_words = self._store.search(query, limit)
        report = self._store.report()
        notes = _notes(self._store, report)
        text = hits_text(query, hits, report, notes, all_words=all_words)
        return SearchResult(query, tuple(hits), all_words, report, notes, text)

    def summary(self, name: str, count: int) -> Summary:
        """A document in ``count`` of its sentences. Raises InputError when no document, or more than one, is meant."""
        document = named(name, self._store)
        chosen, left_out = summarise(document, count)
        report = self._store.report()
        summary = Summary(
            document.path,
            document.title,
            document.kind,
            tuple(chosen),
            tuple(dates_of(document)),
            tuple(amounts_of(document)),
            report,
            (*_notes(self._store, report), *document.notes, *left_out),
            "",
        )
        return msgspec.structs.replace(summary, text=summary_text(summary))

    def facts(self, name: str) -> Facts:
        """The days, sums and duties a document names. Raises as `summary` does."""
        document, report = named(name, self._store), self._store.report()
        facts = Facts(
            document.path,
            document.title,
            tuple(dates_of(document)),
            tuple(amounts_of(document)),
            tuple(duties_of(document)),
            report,
            (*_notes(self._store, report), *document.notes),
            "",
        )
        return msgspec.structs.replace(facts, text=facts_text(facts))

    def read(self, name: str, first: int, count: int) -> Pages:
        """Passages of a document with their places. Raises as `summary` does."""
        document, report = named(name, self._store), self._store.report()
        chosen = document.passages[first : first + count]
        after = first + len(chosen)
        return Pages(
            document.path,
            document.title,
            document.kind,
            tuple(Piece(p.text, p.place, bool(p.heading)) for p in chosen),
            first,
            len(document.passages),
            after if after < len(document.passages) else None,
            report,
            (*_notes(self._store, report), *document.notes),
            "\n\n".join(f"[{p.place}] {p.text}" for p in chosen),
        )


def named(name: str, store: DocumentStore) -> Document:
    """The document that ``name`` means. Raises InputError when no document, or more than one, is meant."""
    path = resolve(name, store)
    document = store.document(path)
    if document is None:  # removed between two steps
        raise InputError(f"{path} is no longer there", where="document")
    return document


def resolve(name: str, store: DocumentStore) -> str:
    """The path of the document that ``name`` means: a path, a file name, its stem, a title, or a part of one."""
    wanted = name.strip().removeprefix("./").casefold()
    cards = store.cards
    for exact in (
        lambda path, _title: path.casefold(),
        lambda path, _title: path.casefold().partition("/")[2],
        lambda path, _title: PurePosixPath(path).name.casefold(),
        lambda path, _title: PurePosixPath(path).stem.casefold(),
        lambda _path, title: title.casefold(),
    ):
        found = [path for path, card in cards.items() if exact(path, card.title) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"{name!r} could be {_some(found)}", where="document", fix="give the whole path")
    for refusal in store.report().refused:
        path = refusal.path.casefold()
        if wanted in (path, path.partition("/")[2], PurePosixPath(path).name, PurePosixPath(path).stem):
            raise InputError(f"{refusal.path} could not be read: {refusal.reason}", where="document")
    part = [path for path, card in cards.items() if len(wanted) > 2 and wanted in f"{path}\n{card.title}".casefold()]
    if len(part) == 1:
        return part[0]
    if part:
        raise InputError(f"{name!r} could be {_some(part)}", where="document", fix="give the whole path")
    raise InputError(f"there is no document {name!r}", where="document", fix=_nearest(wanted, list(cards)))


def _some(paths: list[str]) -> str:
    return ", ".join(sorted(paths)[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _nearest(wanted: str, paths: list[str]) -> str:
    names = {PurePosixPath(path).name.casefold(): path for path in paths}
    names |= {PurePosixPath(path).stem.casefold(): path for path in paths}
    close = difflib.get_close_matches(PurePosixPath(wanted).name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"there are: {_some(paths)}" if paths else "there are no documents in the workspace"


def _notes(store: DocumentStore, report: SourceReport) -> tuple[str, ...]:
    notes = [f"the search index: {store.trouble}"] if store.trouble else []
    if report.pending:
        notes.append(f"{report.pending} documents are not read yet; ask again for a fuller answer")
    return tuple(notes)
