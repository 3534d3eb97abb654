"""What a round leaves behind: a span with its outcome, metrics, and records that ``GET /v1/agents`` shows."""

from __future__ import annotations

from opentelemetry.trace import StatusCode

from pea.service.agents import _common
from pea.telemetry import names
from tests.runtime.agreement.test_agree import fleet, votes


async def test_a_round_is_a_span_that_names_the_dissenters() -> None:
    """``quorum judge.add``: how many were asked and agreed, an event per dissenter, the votes as its children."""
    async with fleet("lies", "", "", "") as runtime:
        seen: list[object] = []
        runtime.telemetry.add_consumer(_Seen(seen))
        await votes(runtime)
        await runtime.telemetry.drain()
        (span,) = [one for one in seen if one.name.startswith(names.SPAN_QUORUM)]  # type: ignore[attr-defined]
        assert span.name == "quorum judge.add"  # type: ignore[attr-defined]
        about = dict(span.attributes)  # type: ignore[attr-defined]
        assert about[names.PEA_QUORUM_OUTCOME] == "decided"
        assert (about[names.PEA_QUORUM_VOTERS], about[names.PEA_QUORUM_NEEDED]) == (4, 3)


async def test_a_round_without_decision_is_an_error_that_says_who_said_what() -> None:
    """Its status carries the votes."""
    async with fleet("lies", "lies", "", "") as runtime:
        seen: list[object] = []
        runtime.telemetry.add_consumer(_Seen(seen))
        await votes(runtime)
        await runtime.telemetry.drain()
        (span,) = [one for one in seen if one.name.startswith(names.SPAN_QUORUM)]  # type: ignore[attr-defined]
        assert span.status.status_code is StatusCode.ERROR  # type: ignore[attr-defined]
        assert "2 of 4 voters agree" in (span.status.description or "")  # type: ignore[attr-defined]


async def test_votes_and_rounds_are_metrics() -> None:
    """By agent, replica and worth; the histogram of rounds by outcome gives the success rate."""
    async with fleet("lies", "", "", "") as runtime:
        await votes(runtime)
        await runtime.telemetry.drain()
        text = runtime.telemetry.exposition()[0].decode()
        assert 'pea_quorum_votes_total{gen_ai_agent_name="judge"' in text
        assert 'pea_quorum_duration_seconds_count{pea_capability="judge.add",pea_quorum_outcome="decided"} 1' in text


async def test_the_listing_of_agents_shows_the_records() -> None:
    """Each replica's agreement rate, and how the rounds went."""
    async with fleet("lies", "", "", "") as runtime:
        for _ in range(2):
            await votes(runtime)
        record = runtime.directory.record("judge")
        shown = _common(runtime, record, await runtime.health("judge"))
        rates = [replica.votes.agreement_rate for replica in shown["replicas"]]
        assert rates == [0.0, 1.0, 1.0, 1.0]
        assert [(one.capability, one.success) for one in shown["agreement"]] == [("judge.add", 1.0)]


class _Seen:
    def __init__(self, seen: list[object]) -> None:
        self._seen = seen

    def consume(self, batch: object) -> None:
        self._seen.extend(batch)  # type: ignore[call-overload]
