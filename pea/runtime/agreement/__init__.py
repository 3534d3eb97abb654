"""Agreement: one question, several voters, and an answer that liars, crashes and delays cannot change."""

from pea.runtime.agreement.ballot import Agreement, Ballot, Side, Vote
from pea.runtime.agreement.equality import Equality, Exact, Tolerance
from pea.runtime.agreement.records import Record, Records, Standing
from pea.runtime.agreement.tally import Outcome, Tally, most_faults, quorum

__all__ = [
    "Agreement",
    "Ballot",
    "Equality",
    "Exact",
    "Outcome",
    "Record",
    "Records",
    "Side",
    "Standing",
    "Tally",
    "Tolerance",
    "Vote",
    "most_faults",
    "quorum",
]
