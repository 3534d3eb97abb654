"""A request in plain words becomes one call: what was understood is said, and asked about when it is not clear."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from pea import Agent, Context, PeaError, capability
from pea.agents._ask_fill import ASKED, fill, said
from pea.agents._ask_rank import Index, Scored
from pea.agents._ask_slots import find_slots

LEAST_SCORE = 1.7  # below, nothing was understood
LEAST_COVERED = 0.34  # of the words that tell something, by weight, where no turn of phrase was known
NEAR = 0.9  # a second capability with this share of the best one's score makes it unclear
CHOICES = 4
OWN = "orchestrator.ask"
_NEVER = frozenset({OWN, "calendar.solve"})  # itself, and what is for other capabilities only

Request = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000, examples=["what's on tomorrow?"])]


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a request: a call, why it is read so, and how to make the call by hand."""

    capability: str
    arguments: dict[str, Any]
    because: list[str]
    score: float
    command: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request.

    ``answered``: ``result`` is what ``understood`` returned. ``unsure``: ``question`` asks which of ``choices`` is
    meant, or for what is missing. ``writes``: understood, and left to the user, since it would change something.
    ``refused``: nothing of it was understood. ``failed``: ``understood`` was called and said why it could not.
    """

    status: Literal["answered", "unsure", "writes", "refused", "failed"]
    understood: Understanding | None = None
    question: str = ""
    choices: list[Understanding] = []
    result: Any = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a request was read, before anything is called."""

    status: Literal["clear", "unsure", "writes", "refused"]
    understood: Understanding | None = None
    question: str = ""
    choices: tuple[Understanding, ...] = ()


def read(request: str, offers: tuple[Any, ...], today: date, index: Index | None = None) -> Reading:
    """Read a request against what is offered; nothing is called."""
    known = {offer.name: offer for offer in offers if offer.name not in _NEVER}
    slots = find_slots(request, today)
    ranked = [one for one in (index or Index(known.values())).rank(slots) if one.score > 0]
    sensible = [one for one in ranked if _is_sense(one)]
    if not sensible:
        return Reading(status="refused", question=_no_idea(ranked, known))
    ranked, best = sensible, sensible[0]
    readings = {}
    for one in ranked[:CHOICES]:
        arguments, missing = fill(known[one.name], slots, today)
        readings[one.name] = (_understanding(one, arguments), missing)
    understood, missing = readings[best.name]
    if known[best.name].writes:
        question = f"this would change something: {understood.command}"
        return Reading(status="writes", understood=understood, question=question)
    near = [one for one in ranked[1:CHOICES] if one.score >= NEAR * best.score]
    if near and not missing:
        choices = tuple(readings[one.name][0] for one in (best, *near))
        return Reading(status="unsure", understood=understood, question="Which of these is meant?", choices=choices)
    if missing:
        question = ASKED.get(missing[0], f"What should {missing[0]!r} be?")
        return Reading(status="unsure", understood=understood, question=question, choices=(understood,))
    return Reading(status="clear", understood=understood)


def _is_sense(one: Scored) -> bool:
    return one.score >= LEAST_SCORE and (one.phrase or one.covered >= LEAST_COVERED)


def _understanding(one: Scored, arguments: dict[str, Any]) -> Understanding:
    return Understanding(
        capability=one.name,
        arguments=arguments,
        because=list(one.because),
        score=round(one.score, 2),
        command=f"pea run {one.name} {said(arguments)}".strip(),
    )


def _no_idea(ranked: list[Scored], known: dict[str, Any]) -> str:
    examples = "what's on tomorrow?, which mails need an answer?, find documents about …"
    near = ", ".join(one.name for one in ranked[:2] if one.score >= LEAST_SCORE / 2 and one.name in known)
    return f"I did not understand that. {f'Nearest: {near}. ' if near else ''}For example: {examples}"


class Asking(Agent):
    """The capability ``orchestrator.ask``, for the agent that has it."""

    _index: tuple[tuple[Any, ...], Index] | None = None

    @capability(OWN, timeout="30s", idempotent=True)
    async def ask(self, ctx: Context, request: Request) -> Reply:
        """Answer a request in plain words: say what was understood, do it, or ask back when it is not clear.

        It never runs what writes, sends or deletes, and reads nothing but the request itself as an instruction.
        """
        offers = ctx.offers
        if self._index is None or self._index[0] is not offers:
            self._index = (offers, Index([offer for offer in offers if offer.name not in _NEVER]))
        with ctx.step("request.read"):
            reading = read(request, offers, ctx.now().date(), self._index[1])
        understood = reading.understood
        if reading.status != "clear" or understood is None:
            status = "refused" if reading.status == "clear" else reading.status
            return Reply(status=status, understood=understood, question=reading.question, choices=list(reading.choices))
        try:
            result = await ctx.call(understood.capability, **understood.arguments)
        except PeaError as error:
            return Reply(status="failed", understood=understood, question=str(error))
        return Reply(status="answered", understood=understood, result=result)
