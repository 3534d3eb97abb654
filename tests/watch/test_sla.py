"""Objectives: what is counted once and outlives the process, what is met, what burns, and when load is shed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pea.config import Seconds, SlaSettings
from pea.telemetry.record import SpanRecord
from pea.watch.alert import Alert, State
from pea.watch.rehearse import EPOCH_S, span
from pea.watch.sla import Incident, Shed, Sla, incidents
from pea.watch.sla_ledger import Gap
from pea.watch.windows import Windows

DAY_S = 86_400.0


class World:
    """Windows with a clock, and objectives counted from them every ten seconds."""

    def __init__(self, path: Path | None = None, **settings: Any) -> None:
        self.now_s = EPOCH_S
        self.windows = Windows(lambda: self.now_s)
        self.settings = SlaSettings(**settings)
        self.path = path
        self.sla = Sla(self.settings, self.now_s, path)
        self.alerts: list[Alert] = []
        self._number = 0

    def tasks(self, seconds: float, *, count: int = 10, steps: int = 6, failed: int = 0, **more: Any) -> None:
        """So many tasks in each of so many intervals, the last ``failed`` of each interval failed."""
        about = {"capability": "travel.itinerary", **more.get("labels", {})}
        for _ in range(steps):
            made = [
                self._span(more.get("of", "task"), about, place, seconds, failed=place >= count - failed)
                for place in range(count)
            ]
            self.windows.take(made)
            self.step()

    def step(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.now_s += 10
            self.sla.take(self.windows, self.now_s, self.alerts)

    def _span(self, of: str, about: dict[str, str], place: int, seconds: float, *, failed: bool) -> SpanRecord:
        self._number += 1
        return span(of, about, self.now_s - EPOCH_S + place / 100, seconds, self._number, failed=failed)

    def standing(self, name: str) -> Any:
        found = self.sla.standings(self.now_s, self.alerts, 0.002, 5)
        return next(one for one in found if one.name == name)


@pytest.fixture
def world() -> World:
    return World()


def test_each_task_is_counted_once_and_against_each_limit(world: World) -> None:
    """Sixty tasks of 200 ms: too slow for the p50, fast enough for p95 and p99."""
    world.tasks(0.2)
    world.step(4)
    assert (world.standing("p50").events, world.standing("p50").bad, world.standing("p50").met) == (60, 60, False)
    assert (world.standing("p95").bad, world.standing("p95").met, world.standing("p95").budget_left) == (0, True, 1.0)
    assert world.standing("p50").burn == pytest.approx(2.0)


def test_few_tasks_say_nothing(world: World) -> None:
    """With ten tasks nobody knows whether 95 % are quick."""
    world.tasks(5.0, steps=1)
    world.step(3)
    assert (world.standing("p95").met, world.standing("p95").bad) == (None, 10)


def test_failures_spend_their_budget(world: World) -> None:
    """One in ten failed where one in a thousand may: a hundred times too fast."""
    world.tasks(0.01, failed=1)
    world.step(3)
    found = world.standing("failures")
    assert (found.met, round(found.burn), round(found.budget_left)) == (False, 100, -99)


def test_crises_have_their_own_limit(world: World) -> None:
    """A crisis response of 1.2 s is too slow, another task of 1.2 s is none."""
    world.tasks(1.2, labels={"capability": "crisis.respond"}, steps=3)
    world.tasks(1.2, steps=3)
    world.step(3)
    assert (world.standing("crisis").events, world.standing("crisis").bad) == (30, 30)


def test_counts_outlive_the_process_and_being_lost_is_downtime(tmp_path: Path) -> None:
    """After a stop nothing is missing and nothing is down; after a loss the time without it is an incident."""
    path = tmp_path / "objectives.json"
    first = World(path)
    first.tasks(0.2)
    first.step(3)
    first.sla.ledger.save(stopped=True)
    again = Sla(first.settings, first.now_s + 600, path)
    assert (again.ledger.since(EPOCH_S, first.now_s + 600).tasks, again.ledger.gaps) == (60, [])
    again.ledger.save()
    lost = Sla(first.settings, first.now_s + 1_000, path)
    assert lost.ledger.gaps == [Gap(first.now_s + 600, first.now_s + 1_000)]
    repair = next(one for one in lost.standings(first.now_s + 1_000, []) if one.name == "MTTR")
    assert (repair.met, repair.now) == (False, "6.67 min on average")


def test_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    """What cannot be read is told, and is no reason not to start."""
    path = tmp_path / "objectives.json"
    path.write_text('{"version": 7}')
    assert World(path).sla.ledger.since(0, EPOCH_S).tasks == 0
    path.write_bytes(b"\xff\x00")
    assert World(path).sla.ledger.gaps == []


def test_other_limits_cannot_be_compared(tmp_path: Path) -> None:
    """Tasks counted by another latency limit are dropped rather than mixed in."""
    path = tmp_path / "objectives.json"
    first = World(path)
    first.tasks(0.2)
    first.step(3)
    first.sla.ledger.save(stopped=True)
    assert World(path, p50=Seconds(0.2)).sla.ledger.since(0, EPOCH_S + DAY_S).tasks == 0


def test_what_the_period_no_longer_reaches_is_forgotten(world: World) -> None:
    """Five-minute rows become hours, and hours older than the period go."""
    world.tasks(0.2)
    world.step(3)
    world.now_s += 40 * DAY_S
    world.step(2)
    assert world.sla.ledger.since(0, world.now_s).tasks == 0
    assert len(world.sla.ledger.encoded()) < 500


def an_alert(fired_s: float, resolved_s: float | None, severity: str = "high") -> Alert:
    state = State.FIRING if resolved_s is None else State.RESOLVED
    return Alert(
        id="0" * 16,
        rule="r",
        type="t",
        severity=severity,  # type: ignore[arg-type]
        labels={},
        state=state,
        fired_s=fired_s,
        resolved_s=resolved_s,
    )


def test_overlapping_troubles_are_one_incident() -> None:
    """Grave alerts and losses, put together where they touch; a low alert is none, an old one is over."""
    found = incidents(
        [an_alert(100, 200), an_alert(150, 250), an_alert(600, None), an_alert(300, 400, "low"), an_alert(1, 2)],
        [Gap(240, 260)],
        50,
    )
    assert found == [Incident(100, 260, "r"), Incident(600, None, "r")]


def test_a_critical_alert_is_time_not_available(world: World) -> None:
    """Half of the time with a critical alert: half available, one failure, its length the time to repair."""
    world.step(6)
    world.alerts = [an_alert(world.now_s, None, "critical")]
    world.step(6)
    assert world.standing("availability").now == "50% of 2 min"
    assert (world.standing("MTBF").bad, world.standing("MTBF").met) == (1, False)
    assert world.standing("MTTR").now == "1 min on average"


def test_load_is_shed_while_tasks_wait_and_are_slow_and_no_longer(world: World) -> None:
    """Low priorities first; a slow step without a queue sheds nothing; all is taken again after."""
    world.tasks(2.0)
    assert world.sla.shed == Shed()
    levels = []
    for _ in range(3):  # of ten that waited nothing is known, of twenty it is
        world.tasks(1.5, of="queue", labels={"priority": "normal"}, steps=1)
        levels.append(world.sla.shed.level)
        world.tasks(2.0, steps=1)
        levels.append(world.sla.shed.level)
    assert levels == [0, 0, 1, 2, 2, 2]
    assert "wait for their turn" in world.sla.shed.reason
    for _ in range(8):
        world.tasks(0.001, of="queue", labels={"priority": "normal"}, steps=1)
        world.tasks(0.01, steps=1)
    assert world.sla.shed == Shed()
    assert World(shed=False).sla.shed == Shed()
