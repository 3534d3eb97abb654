"""The documents agent: finds the passage that answers a query, and says in a document's own sentences what it says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._document_views import Facts, Pages, SearchResult, Summary
from pea.agents._reading import Reading, place, reading_s

if TYPE_CHECKING:
    from pea.agents._library import Library


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Documents(Agent):
    """Reads the workspace's ``documents`` folder; the index is kept in the state folder between runs."""

    name = "documents"

    def __init__(self) -> None:
        self._library: Library | None = None
        self._opening = asyncio.Lock()
        self._reading = Reading()

    async def stop(self) -> None:
        """Close the index."""
        if self._library is not None:
            self._library.close()
            self._library = None

    async def cache_version(self, ctx: Context) -> str:
        """Which documents there are, in which state."""
        return (await self._read(ctx)).version

    @capability("documents.search", timeout="10s", cache="15m")
    async def search(
        self,
        ctx: Context,
        query: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10,
    ) -> SearchResult:
        """Find documents by their words: all, "exact phrases", -without; each hit with its passage and place."""
        if not any(character.isalnum() for character in query):
            raise InputError("there is no word to look for", where="query", fix="give a word, a name or a number")
        library = await self._read(ctx)
        return await ctx.compute(library.search, query, limit)

    @capability("documents.summary", timeout="10s", cache="15m")
    async def summary(
        self,
        ctx: Context,
        document: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        sentences: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5,
    ) -> Summary:
        """Summarise one document (path, file name or title) in its own most central sentences, with places."""
        library = await self._read(ctx)
        return await ctx.compute(library.summary, document, sentences)

    @capability("documents.facts", timeout="10s", cache="15m")
    async def facts(self, ctx: Context, document: Name) -> Facts:
        """The days, sums of money and duties that one document names, each in its own sentence, with its place."""
        return await ctx.compute((await self._read(ctx)).facts, document)

    @capability("documents.read", timeout="10s", cache="15m")
    async def read(
        self,
        ctx: Context,
        document: Name,
        first: Annotated[int, msgspec.Meta(ge=0)] = 0,
        count: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50,
    ) -> Pages:
        """The text of one document with the place of each passage (page, paragraph, line), in portions."""
        return await ctx.compute((await self._read(ctx)).read, document, first, count)

    async def _read(self, ctx: Context) -> Library:
        """The documents, read as far as the time allows."""
        async with self._opening:
            if self._library is None:
                self._library = await ctx.compute(_open, ctx.settings)
        library = self._library
        with ctx.step("documents.read"):
            await self._reading(lambda: ctx.compute(library.refresh, reading_s(ctx)))
        return library


def _open(settings: Settings) -> Library:
    # Imported at the first call and off the event loop: what reads documents takes a tenth of a second to load.
    from pea.agents._library import Library

    return Library(*place(settings))
