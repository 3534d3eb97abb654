"""What the voters' records show as a metric, read when somebody collects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pea.runtime.agreement.ballot import Vote
from pea.runtime.agreement.records import Records
from pea.telemetry import names
from pea.telemetry.metrics import Gauge


def observe_agreement(gauge: Gauge, records: Records) -> None:
    """Register the callback: votes by voter and by what they were worth; those of undecided rounds count in none."""

    def votes() -> list[tuple[Mapping[str, Any], float]]:
        found: list[tuple[Mapping[str, Any], float]] = []
        for voter, record in records.all().items():
            about: dict[str, Any] = {names.GEN_AI_AGENT_NAME: voter.agent}
            if voter.replica is not None:
                about[names.PEA_REPLICA] = voter.replica
            counts = {
                Vote.AGREED: record.agreed,
                Vote.DISSENTED: record.dissented,
                Vote.FAILED: record.failed,
                Vote.UNHEARD: record.unheard,
            }
            found += [({**about, names.PEA_QUORUM_VOTE: vote.value}, count) for vote, count in counts.items()]
        return found

    gauge(names.METRIC_QUORUM_VOTES, votes)
