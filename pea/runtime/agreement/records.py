"""The voters' record: how often each said what was decided, and how often rounds decided at all."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from pea.runtime.agreement.ballot import Agreement, Vote

MOST_VOTERS = 10_000


class Voter(NamedTuple):
    """Who votes: an agent, and which of its replicas (None: it has only one)."""

    agent: str
    replica: int | None


class Record(msgspec.Struct):
    """A voter's votes. Those in rounds that decided nothing count in ``undecided``: nobody knows who was right."""

    agreed: int = 0
    dissented: int = 0
    failed: int = 0
    unheard: int = 0
    undecided: int = 0

    @property
    def agreement_rate(self) -> float | None:
        """Of the answers in rounds that decided, the share that said what was decided; None before the first."""
        judged = self.agreed + self.dissented
        return self.agreed / judged if judged else None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the rounds about one capability went, since the start.

    ``success`` is the share of rounds that decided; ``efficiency`` is, in those, the share of the answers heard that
    said what was decided. None before there was one.
    """

    capability: str
    rounds: int
    decided: int
    success: float | None
    efficiency: float | None


class _Counts(msgspec.Struct):
    rounds: int = 0
    decided: int = 0
    heard: int = 0
    agreed: int = 0


class Records:
    """The records of one fleet, bounded: the voter that was heard of least recently is forgotten first."""

    def __init__(self) -> None:
        self._voters: OrderedDict[Voter, Record] = OrderedDict()
        self._counts: dict[str, _Counts] = {}

    def note(self, agreement: Agreement[object], voters: dict[str, Voter]) -> None:
        """A round has ended; ``voters`` tells who stands behind the names on its ballots."""
        counts = self._counts.setdefault(agreement.capability, _Counts())
        counts.rounds += 1
        counts.decided += agreement.decided
        for ballot in agreement.ballots:
            voter = voters[ballot.voter]
            record = self._voters.setdefault(voter, Record())
            self._voters.move_to_end(voter)
            match ballot.vote:
                case Vote.FAILED:
                    record.failed += 1
                case Vote.UNHEARD:
                    record.unheard += 1
                case _ if not agreement.decided:
                    record.undecided += 1
                case Vote.AGREED:
                    record.agreed += 1
                    counts.agreed += 1
                    counts.heard += 1
                case Vote.DISSENTED:
                    record.dissented += 1
                    counts.heard += 1
        while len(self._voters) > MOST_VOTERS:
            self._voters.popitem(last=False)

    def of(self, agent: str) -> dict[int | None, Record]:
        """The records of an agent's replicas that have voted."""
        return {voter.replica: record for voter, record in self._voters.items() if voter.agent == agent}

    def all(self) -> dict[Voter, Record]:
        """Every voter's record."""
        return dict(self._voters)

    def efficiency(self, agent: str = "") -> float | None:
        """Of the answers heard in rounds that decided, the share that said what was decided; of one agent's or of all.

        None where there was no such round.
        """
        records = [record for voter, record in self._voters.items() if not agent or voter.agent == agent]
        agreed, dissented = sum(one.agreed for one in records), sum(one.dissented for one in records)
        return agreed / (agreed + dissented) if agreed + dissented else None

    def standing(self, capability: str) -> Standing | None:
        """How the rounds about a capability went; None when there was none."""
        counts = self._counts.get(capability)
        if counts is None:
            return None
        return Standing(
            capability=capability,
            rounds=counts.rounds,
            decided=counts.decided,
            success=counts.decided / counts.rounds if counts.rounds else None,
            efficiency=counts.agreed / counts.heard if counts.heard else None,
        )

    def standings(self) -> list[Standing]:
        """All of them, by capability."""
        return [found for name in sorted(self._counts) if (found := self.standing(name)) is not None]
