"""A request in plain words becomes one call: what was understood is said, and asked about when it is not clear."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec

from pea.agents._ask_fill import ASKED, fill, said
from pea.agents._ask_rank import Index, Scored
from pea.agents._ask_slots import find_slots
from pea.agents._ask_views import NEVER, Understanding

LEAST_SCORE = 1.7  # below, nothing was understood
LEAST_COVERED = 0.34  # of the words that tell something, by weight, where no turn of phrase was known
NEAR = 0.9  # a second capability with this share of the best one's score makes it unclear
CHOICES = 4


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a request was read, before anything is called."""

    status: Literal["clear", "unsure", "writes", "refused"]
    understood: Understanding | None = None
    question: str = ""
    choices: tuple[Understanding, ...] = ()


class _Shelf:
    """The index of what is offered, kept while the same is offered."""

    def __init__(self) -> None:
        self._offers: tuple[Any, ...] = ()
        self._index = Index(())

    def index(self, offers: tuple[Any, ...]) -> Index:
        """The index of these."""
        if offers is not self._offers:
            self._index, self._offers = Index([one for one in offers if _can_be_said(one)]), offers
        return self._index


_SHELF = _Shelf()


def read(request: str, offers: tuple[Any, ...], today: date) -> Reading:
    """Read a request against what is offered; nothing is called."""
    known = {offer.name: offer for offer in offers if _can_be_said(offer)}
    slots = find_slots(request, today)
    ranked = [one for one in _SHELF.index(offers).rank(slots) if one.score > 0]
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


def _can_be_said(offer: Any) -> bool:
    """Whether words can give what it must be given: a capability that takes another's result is not for people."""
    return offer.name not in NEVER and not any("$ref" in offer.fields[name] for name in offer.required)


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
