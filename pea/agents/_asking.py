"""The capability that takes a request in plain words; what reads it is loaded when the first one comes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pea import Agent, Context, PeaError, capability
from pea.agents._ask_views import OWN, Reply, Request

if TYPE_CHECKING:
    from pea.agents._ask import Reading


class Asking(Agent):
    """The capability ``orchestrator.ask``, for the agent that has it."""

    @capability(OWN, timeout="30s", idempotent=True)
    async def ask(self, ctx: Context, request: Request) -> Reply:
        """Answer a request in plain words: say what was understood, do it, or ask back when it is not clear.

        It never runs what writes, sends or deletes, and reads nothing but the request itself as an instruction.
        """
        reading = await ctx.compute(_read, request, ctx.offers, ctx.now().date())
        understood = reading.understood
        if reading.status != "clear" or understood is None:
            status = "refused" if reading.status == "clear" else reading.status
            return Reply(status=status, understood=understood, question=reading.question, choices=list(reading.choices))
        try:
            result = await ctx.call(understood.capability, **understood.arguments)
        except PeaError as error:
            return Reply(status="failed", understood=understood, question=str(error))
        return Reply(status="answered", understood=understood, result=result)


def _read(request: str, offers: tuple[Any, ...], today: date) -> Reading:
    """In a thread: the grammar and the book take a moment to load."""
    from pea.agents._ask import read

    return read(request, offers, today)
