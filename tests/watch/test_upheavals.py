"""What was changed before an alert began is told with it: versions, agents' starts, and what others note."""

from __future__ import annotations

import msgspec

from pea.store.series import SeriesStore
from pea.telemetry import names
from pea.telemetry.loop_lag import Culprit
from pea.telemetry.record import Origin, SpanRecord
from pea.watch.investigate import Investigator
from pea.watch.rehearse import EPOCH_S, span
from pea.watch.upheavals import KEPT, MAX_SERVICES, Upheavals
from tests.watch.test_investigate import RULES, an_alert


def one(version: str, at_s: float, name: str = "task x", service: str = "shop") -> SpanRecord:
    made = span("task", {"capability": "x"}, at_s, 1.0, 1)
    return msgspec.structs.replace(made, name=name, origin=Origin(service, {"service.version": version}))


def test_a_new_version_is_told_once_and_the_first_is_no_news() -> None:
    """A roll-out in which two versions answer in turn is one change."""
    seen = Upheavals()
    seen.take([one("1", 0), one("1", 1), one("2", 100), one("1", 101), one("2", 102), one("3", 200)])
    assert [held.what for held in seen.held] == ["shop went from version 1 to 2", "shop went from version 2 to 3"]
    assert seen.told(EPOCH_S + 160) == "1.02 min before it began: shop went from version 1 to 2."


def test_an_agents_start_is_a_change() -> None:
    """Agents that are started while the service runs are known by their spans."""
    seen = Upheavals()
    seen.take([one("", 50, f"{names.SPAN_AGENT_START} travel")])
    assert seen.told(EPOCH_S + 55) == "5 s before it began: agent travel started."


def test_what_is_long_past_or_still_to_come_is_not_told() -> None:
    """Only the last hour counts, and what happened well after the beginning did not cause it."""
    seen = Upheavals()
    seen.note(1_000.0, "the rules were read anew")
    assert seen.told(999.0 - 60) == seen.told(1_000.0 + 3_700) == ""
    assert seen.told(990.0) == "As it began: the rules were read anew."
    seen.note(1_001.0, "agent a started")
    assert seen.told(1_001.0) == "As it began: agent a started and 1 more."


def test_it_is_bounded() -> None:
    """However many services and changes there are."""
    seen = Upheavals()
    seen.take([one("1", 0, service=f"s{n}") for n in range(MAX_SERVICES + 5)])
    seen.take([one(f"v{n}", n) for n in range(2 * KEPT)])
    for n in range(2 * KEPT):
        seen.note(n, "again")
    assert len(seen.held) == KEPT


async def test_the_alert_says_it() -> None:
    """After its cause, in its explanation."""
    seen = Upheavals()
    alert = an_alert(RULES["loop-lag"], EPOCH_S + 100)
    seen.note(alert.since_s - 20, "agent travel started")
    culprit = Culprit(int(alert.since_s * 1e9), 0.5, "here", ("here",))

    async def ask(work):
        raise AssertionError("no traces are needed")

    looked = Investigator(ask, SeriesStore(1), lambda: (culprit,), lambda: alert.since_s + 30, seen)
    found = await looked(alert, RULES["loop-lag"])
    assert found.explanation == (
        "The event loop was held for 500 ms in here. 20 s before it began: agent travel started."
    )
