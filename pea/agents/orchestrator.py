"""The orchestrator: turns "how does my day look" into calls on the other agents, and their answers into a briefing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import date
from typing import Any, TypeVar

from pea import Context, Outcome, capability
from pea.agents import _briefing_papers as papers
from pea.agents import _briefing_parts as parts
from pea.agents import _briefing_views as views
from pea.agents._asking import Asking
from pea.agents._briefing import Briefing
from pea.agents._briefing_papers import Papers
from pea.agents._language import Language
from pea.agents._memory import Remembering
from pea.agents._plans import Planning

T = TypeVar("T")

PART_SHARE = 0.8  # of the time that remains may be spent waiting for the others; the rest is for putting it together
HITS_PER_MEETING = 3


class Orchestrator(Asking, Planning, Language, Remembering):
    """Asks the others side by side; what one of them cannot say is named, and the rest is told."""

    name = "orchestrator"

    @capability("briefing.morning", timeout="8s", idempotent=True)
    async def morning(self, ctx: Context, day: date | None = None) -> Briefing:
        """The day's conflicts, messages to answer, travel, meetings and the documents they are about.

        ``day`` is today when not given. A part that fails or is late is listed under ``missing``.
        """
        now = ctx.now()
        wanted = now.date() if day is None else day
        nearer = ctx.within(max(0.0, PART_SHARE * ctx.remaining_s))
        agenda = asyncio.ensure_future(_ask(nearer, views.Agenda, "calendar.agenda", day=wanted))
        try:
            outcomes: dict[str, Outcome[Any]] = await ctx.gather(
                agenda=_wait(agenda),
                conflicts=_ask(nearer, views.Conflicts, "calendar.conflicts", day=wanted),
                triage=_ask(nearer, views.Triage, "communication.triage"),
                travel=_ask(nearer, views.Itinerary, "travel.itinerary", day=wanted),
                documents=_papers(nearer, agenda),
            )
        finally:
            agenda.cancel()
        late = [name for name, outcome in outcomes.items() if not outcome.ok]
        if late:
            ctx.log.warning("the briefing is incomplete", missing=late)
        return parts.compose(wanted, now, parts.Parts(**outcomes))


async def _ask(ctx: Context, view: type[T], capability: str, **arguments: Any) -> T:
    """The answer of another agent, as the little of it that a briefing reads."""
    return views.read(await ctx.call(capability, **arguments), view)


async def _wait(agenda: asyncio.Future[views.Agenda]) -> views.Agenda:
    return await agenda


async def _papers(ctx: Context, agenda: asyncio.Future[views.Agenda]) -> Papers:
    """What the documents say about the day's meetings, each asked for with the words of its title.

    Raises what the agenda or the searches raised when nothing at all could be found out.
    """
    asked = papers.questions((await asyncio.shield(agenda)).entries)
    # A day without meetings searches for nothing that is shown, but the documents are read and reported all the same.
    asked = asked or [(papers.NO_MEETING, ctx.settings.user.name or "document")]

    def search(words: str) -> Coroutine[Any, Any, views.Search]:
        return _ask(ctx, views.Search, "documents.search", query=words, limit=HITS_PER_MEETING)

    # The first search reads what is new, so that the others neither wait for it nor keep threads waiting.
    first, *others = dict.fromkeys(words for _, words in asked)
    found = await ctx.gather(**{first: search(first)})
    return papers.gathered(asked, found | await ctx.gather(**{words: search(words) for words in others}))
