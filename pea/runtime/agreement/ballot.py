"""What came of a round: the answer if there is one, and in any case who said what."""

from __future__ import annotations

import enum
from typing import Any, Generic, TypeVar

import msgspec

from pea.errors import Disagreement

T = TypeVar("T")
SHOWN = 120  # characters of a value in a message


class Vote(enum.StrEnum):
    """What a voter's answer was worth."""

    AGREED = "agreed"  # said what was decided
    DISSENTED = "dissented"  # said something else; where nothing was decided: said something
    FAILED = "failed"  # did not answer, or with what cannot be compared
    UNHEARD = "unheard"  # the matter was settled before it answered


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """One voter's part: its ``value``, or ``error`` when it gave none; ``elapsed_s`` in seconds from the question."""

    voter: str
    vote: Vote
    value: Any = None
    error: str | None = None
    elapsed_s: float


class Side(msgspec.Struct, frozen=True):
    """Voters who said the same, the first of them first, and what they said."""

    voters: tuple[str, ...]
    value: Any


class Agreement(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """How a round ended.

    ``value`` is what at least ``quorum`` voters said, None when not ``decided``. It is right as long as no more than
    ``faults`` of the voters lie. ``sides`` has the largest first.
    """

    capability: str
    decided: bool
    value: T | None
    faults: int
    quorum: int
    ballots: tuple[Ballot, ...]
    sides: tuple[Side, ...]
    elapsed_s: float

    def require(self) -> T:
        """The value; Disagreement, which says who said what, when nothing was decided."""
        if self.decided:
            return self.value  # type: ignore[return-value]
        raise Disagreement(self.told, where=self.capability, fix="ask a person; the votes are in the trace")

    @property
    def told(self) -> str:
        """Who said what, in one line."""
        said = [f"{' and '.join(side.voters)} said {_short(side.value)}" for side in self.sides]
        silent = [f"{one.voter}: {one.error}" for one in self.ballots if one.vote is Vote.FAILED]
        largest = len(self.sides[0].voters) if self.sides else 0
        count = f"{largest} of {len(self.ballots)} voters agree, {self.quorum} are needed"
        return "; ".join([count, *said, *silent])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
