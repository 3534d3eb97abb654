"""Counting: votes come in one after the other, and at each it is known whether the matter is settled.

With n voters of whom f may lie, ``(n + f) // 2 + 1`` equal votes decide (Malkhi and Reiter, "Byzantine quorum systems",
Distributed Computing 11(4), 1998): two such sets share f + 1 voters, so one that is honest, and no two values can both
be decided. For n = 3f + 1 these are 2f + 1. The n - f honest ones are enough to decide; and a wrong value needs more
than f liars who say the same: up to 2f liars can keep n = 3f + 1 from deciding, and cannot make them decide wrongly.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from pea.errors import Conflict
from pea.runtime.agreement.equality import Equality


class Outcome(enum.StrEnum):
    """How a round ended."""

    DECIDED = "decided"  # enough voters agreed
    DISAGREED = "disagreed"  # enough voters answered, and not the same
    TOO_FEW = "too_few"  # too few voters answered


def most_faults(voters: int) -> int:
    """The most liars that so many voters can bear: n >= 3f + 1."""
    return max(voters - 1, 0) // 3


def quorum(voters: int, faults: int) -> int:
    """How many equal votes decide; Conflict when so many voters cannot bear so many faults."""
    if voters < 1:
        raise Conflict("nobody was asked: without votes there is no decision", fix="name at least one voter")
    if faults < 0 or voters < 3 * faults + 1:
        raise Conflict(
            f"{voters} voters cannot bear {faults} liars",
            fix=f"ask at least {3 * max(faults, 0) + 1}, or bear {most_faults(voters)}",
        )
    return (voters + faults) // 2 + 1


class Tally:
    """The votes of one round. Each voter is heard once, whatever it says later."""

    def __init__(self, voters: Iterable[str], faults: int, equality: Equality) -> None:
        self.pending = dict.fromkeys(voters)
        self.voters = len(self.pending)
        self.quorum = quorum(self.voters, faults)
        self._equality = equality
        self._keys: dict[str, Any] = {}
        self._largest: tuple[str, ...] = ()

    def hear(self, voter: str, value: Any) -> None:
        """A vote. Raises Incomparable for a value that cannot be compared: the voter has then said nothing."""
        if voter not in self.pending:
            return
        del self.pending[voter]
        self._keys[voter] = self._equality.key(value)
        self._largest = tuple(self._equality.largest(self._keys))

    def silent(self, voter: str) -> None:
        """A voter will not answer."""
        self.pending.pop(voter, None)

    @property
    def decided(self) -> bool:
        """Whether enough voters agree; it stays so."""
        return len(self._largest) >= self.quorum

    @property
    def settled(self) -> bool:
        """Whether what is still to come can change nothing."""
        return self.decided or len(self._largest) + len(self.pending) < self.quorum

    @property
    def outcome(self) -> Outcome:
        """How the round stands if nobody else answers."""
        if self.decided:
            return Outcome.DECIDED
        return Outcome.DISAGREED if len(self._keys) >= self.quorum else Outcome.TOO_FEW

    def sides(self) -> list[tuple[str, ...]]:
        """Who says the same, the largest set first; in each comes first whose answer stands for it."""
        found: list[tuple[str, ...]] = []
        left = dict(self._keys)
        side = self._largest
        while side:
            found.append(side)
            for voter in side:
                del left[voter]
            side = tuple(self._equality.largest(left))
        return found
