"""The documents agent: finds the passage that answers a query, and says in a document's own sentences what it says."""

from __future__ import annotations

import asyncio
import difflib
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from pea import Agent, Context, InputError, capability
from pea.agents._summary import AmountFound, DateFound, SummarySentence, amounts_of, dates_of, summarise
from pea.workspace.documents import Document
from pea.workspace.documents_store import DocumentStore
from pea.workspace.files import SourceReport
from pea.workspace.search import Hit

READING_SHARE = 0.6  # of the time left may be spent on reading new files before answering
MAX_READING_S = 10.0


class SearchResult(msgspec.Struct, frozen=True):
    """Documents that answer a query, best first; ``all_words`` is false when none of them holds every word."""

    query: str
    hits: tuple[Hit, ...]
    all_words: bool
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Summary(msgspec.Struct, frozen=True):
    """A document in a few of its own sentences, with the dates and sums it names."""

    path: str
    title: str
    kind: str
    sentences: tuple[SummarySentence, ...]
    dates: tuple[DateFound, ...]
    amounts: tuple[AmountFound, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class Documents(Agent):
    """Reads the workspace's ``documents`` folder; the index is kept in the state folder between runs."""

    name = "documents"

    def __init__(self) -> None:
        self._store: DocumentStore | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Close the index."""
        if self._store is not None:
            self._store.close()
            self._store = None

    @capability("documents.search", timeout="10s", idempotent=True)
    async def search(
        self,
        ctx: Context,
        query: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10,
    ) -> SearchResult:
        """Find documents by their words: all, "exact phrases", -without; each hit with its passage and place."""
        store = await self._ready(ctx)
        if not any(character.isalnum() for character in query):
            raise InputError("there is no word to look for", where="query", fix="give a word, a name or a number")
        hits, all_words = await ctx.compute(store.search, query, limit)
        report = store.report()
        notes = _notes(store, report)
        return SearchResult(
            query, tuple(hits), all_words, report, notes, _hits_text(query, hits, report, notes, all_words=all_words)
        )

    @capability("documents.summary", timeout="10s", idempotent=True)
    async def summary(
        self,
        ctx: Context,
        document: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        sentences: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5,
    ) -> Summary:
        """Summarise one document (path, file name or title) in its own most central sentences, with places."""
        store = await self._ready(ctx)
        path = _resolve(document, store)
        found = await ctx.compute(store.document, path)
        if found is None:  # removed between two steps
            raise InputError(f"{path} is no longer there", where="document")
        report = store.report()
        return await ctx.compute(_summary, found, sentences, report, _notes(store, report))

    async def _ready(self, ctx: Context) -> DocumentStore:
        """The store, its folder read as far as the time allows."""
        async with self._opening:
            if self._store is None:
                state = Path(ctx.settings.state) if ctx.settings.state else None
                self._store = await ctx.compute(_open, ctx.settings.workspace, state)
        store = self._store
        with ctx.step("documents.read"):
            await ctx.compute(store.refresh, budget_s=min(MAX_READING_S, max(0.0, READING_SHARE * ctx.remaining_s)))
        return store


def _open(workspace: str, state: Path | None) -> DocumentStore:
    if not workspace:
        raise InputError("no workspace is set", where="workspace", fix="give --workspace, or workspace in pea.yaml")
    return DocumentStore(Path(workspace), state=state)


def _resolve(name: str, store: DocumentStore) -> str:
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


def _hits_text(query: str, hits: list[Hit], report: SourceReport, notes: tuple[str, ...], *, all_words: bool) -> str:
    if not hits:
        lines = [f"Nothing found for “{query}” in {report.read} documents."]
    else:
        lines = [f"{len(hits)} {'document' if len(hits) == 1 else 'documents'} for “{query}”:"]
        if not all_words:
            lines = [f"No document holds all of “{query}”; these hold some of it:"]
    for number, hit in enumerate(hits, 1):
        lines.append(f"{number}. {hit.title} ({hit.path}, {hit.place})\n   {hit.snippet}")
    return "\n".join((*lines, *(f"Note: {note}." for note in notes), report.text()))


def _summary(document: Document, count: int, report: SourceReport, notes: tuple[str, ...]) -> Summary:
    chosen, left_out = summarise(document, count)
    every = (*notes, *document.notes, *left_out)
    dates, amounts = dates_of(document), amounts_of(document)
    lines = [f"{document.title} ({document.path}, {document.kind})"]
    lines += [f"- {sentence.text} [{sentence.place}]" for sentence in chosen] or ["It has no sentence to quote."]
    if dates:
        lines.append("Dates: " + "; ".join(f"{one.day:%a %d %b %Y} [{one.place}]" for one in dates[:8]))
    if amounts:
        lines.append("Amounts: " + "; ".join(f"{one.written} [{one.place}]" for one in amounts[:8]))
    lines += [f"Note: {note}." for note in every]
    return Summary(
        document.path,
        document.title,
        document.kind,
        tuple(chosen),
        tuple(dates),
        tuple(amounts),
        report,
        every,
        "\n".join(lines),
    )
