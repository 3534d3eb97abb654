"""The capability that takes a request in plain words; what reads it is loaded when the first one comes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pea import Agent, Context, PeaError, capability
from pea.agents._ask_views import NEVER, OWN, Reply, Request, Understanding

if TYPE_CHECKING:
    from pea.agents._ask import Reading


class Asking(Agent):
    """The capability ``orchestrator.ask``, for the agent that has it."""

    @capability(OWN, timeout="30s", idempotent=True)
    async def ask(self, ctx: Context, request: Request) -> Reply:
        """Answer a request in plain words: say what was understood, do it, or ask back when it is not clear.

        It never runs what writes, sends or deletes, and reads nothing but the request itself as an instruction.
        """
        offers = ctx.offers
        reading = await ctx.compute(_read, request, offers, ctx.now().date())
        understood = reading.understood
        if reading.status in ("unsure", "refused") and ctx.llm.on:
            chosen = await _by_model(ctx, request, offers)
            if chosen is not None:
                return await _done(ctx, chosen)
        if reading.status != "clear" or understood is None:
            status = "refused" if reading.status == "clear" else reading.status
            return Reply(status=status, understood=understood, question=reading.question, choices=list(reading.choices))
        return await _done(ctx, understood)


async def _done(ctx: Context, understood: Understanding) -> Reply:
    """What the call that was understood returns, or why it could not."""
    try:
        result = await ctx.call(understood.capability, **understood.arguments)
    except PeaError as error:
        return Reply(status="failed", understood=understood, question=str(error))
    return Reply(status="answered", understood=understood, result=result)


async def _by_model(ctx: Context, request: str, offers: tuple[Any, ...]) -> Understanding | None:
    """What the language model makes of a request that the grammar does not understand; None when it does not either.

    It is shown what can be asked, never what is in the workspace, and may choose only what does not write.
    """
    from pea.agents._ask_model import choice, prompt

    readable = [offer for offer in offers if not offer.writes and offer.name not in NEVER]
    try:
        system, asked = prompt(readable, request, ctx.now())
        answer = await ctx.llm.write(system, asked, purpose="ask", task=ctx.task_id)
    except PeaError as error:
        ctx.log.warning("the language model could not be asked", reason=str(error))
        return None
    return choice(answer.text, readable)


def _read(request: str, offers: tuple[Any, ...], today: date) -> Reading:
    """In a thread: the grammar and the book take a moment to load."""
    from pea.agents._ask import read

    return read(request, offers, today)
