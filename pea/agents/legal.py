"""The legal agent: which documents are contracts, what they say, what is due when, what is unusual, what changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, Settings, capability
from pea.agents._legal_views import Comparison, Contracts, Deadlines, Obligations, Review
from pea.agents._reading import place, reading_s

if TYPE_CHECKING:
    from pea.agents._legal_shelf import Shelf

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Legal(Agent):
    """Reads the contracts among the workspace's documents; what it says is no legal advice."""

    name = "legal"

    def __init__(self) -> None:
        self._shelf: Shelf | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Let go of the documents."""
        if self._shelf is not None:
            self._shelf.close()
            self._shelf = None

    async def cache_version(self, ctx: Context) -> str:
        """Which documents there are, and the day: what lies ahead depends on it."""
        return f"{(await self._read(ctx)).version}|{ctx.now():%Y-%m-%d}"

    @capability("legal.contracts", timeout="20s", cache="15m")
    async def contracts(self, ctx: Context) -> Contracts:
        """Find the contracts among the documents: parties, term, renewal, notice, law, each with its place."""
        shelf = await self._read(ctx)
        return await ctx.compute(shelf.contracts)

    @capability("legal.deadlines", timeout="20s", cache="15m")
    async def deadlines(self, ctx: Context, days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 365) -> Deadlines:
        """Say which contracts begin, end, renew or must be given notice in the days ahead, the last day worked out."""
        shelf = await self._read(ctx)
        return await ctx.compute(shelf.deadlines, ctx.now().date(), days)

    @capability("legal.review", timeout="20s", cache="15m")
    async def review(self, ctx: Context, document: Name) -> Review:
        """Hold one document (path, file name or title) against a checklist: what is unusual, and what is not there."""
        shelf = await self._read(ctx)
        return await ctx.compute(shelf.review, document, ctx.now().date())

    @capability("legal.obligations", timeout="20s", cache="15m")
    async def obligations(
        self, ctx: Context, document: Name, who: Annotated[str, msgspec.Meta(max_length=200)] = ""
    ) -> Obligations:
        """List who must and who may do what by when in a contract; of one side, when its name or role is given."""
        shelf = await self._read(ctx)
        return await ctx.compute(shelf.obligations, document, who)

    @capability("legal.compare", timeout="30s", cache="15m")
    async def compare(self, ctx: Context, document: Name, other: Name) -> Comparison:
        """Compare two versions of a document: facts that differ, and sentences changed, added and taken out."""
        shelf = await self._read(ctx)
        return await ctx.compute(shelf.compare, document, other)

    async def _read(self, ctx: Context) -> Shelf:
        """The documents, read as far as the time allows."""
        async with self._opening:
            if self._shelf is None:
                self._shelf = await ctx.compute(_open, ctx.settings)
        shelf = self._shelf
        with ctx.step("documents.read"):
            await ctx.compute(shelf.refresh, reading_s(ctx))
        return shelf


def _open(settings: Settings) -> Shelf:
    # Imported at the first call and off the event loop: what reads documents takes a tenth of a second to load.
    from pea.agents._legal_shelf import Shelf

    return Shelf(*place(settings))
