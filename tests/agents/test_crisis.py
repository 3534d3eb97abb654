"""The crisis agent: the right playbook with its reasons, owners who can be reached, messages in form, a chance."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import Agent, Context, InputError, Runtime, capability
from pea.agents import _crisis_room
from pea.agents._crisis_assess import assess
from pea.agents._crisis_estimate import METHOD, pert, plan
from pea.agents._crisis_views import Holder
from pea.agents.crisis import Crisis
from pea.config import load
from pea.workspace.files import Unreadable
from pea.workspace.playbooks import Shelf, minutes, parse, shipped
from tests.absent import needs
from tests.agents.office import PUBLIC, SAMPLE

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 5, 12, 9, tzinfo=BERLIN)
SHELF = Shelf({one.name: one for one in shipped().playbooks}, shipped().roles)


async def warm(workspace: Path, state: Path, name: str, **arguments: Any) -> Any:
    """One answer, once the room has been read: what a service has done a second after its start."""
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin"}
    told = load(config if config.exists() else None, environ={}, overrides=overrides)
    async with Runtime(told, agents=[Crisis()]) as runtime:
        await runtime.call("crisis.playbooks")
        return await runtime.call(name, **arguments)


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda name, **arguments: asyncio.run(warm(SAMPLE, kept, name, **arguments))


@pytest.mark.parametrize(
    ("report", "playbook"),
    [
        ("Personal data of customers has leaked from the CRM", "data-breach"),
        ("The portal is down, customers cannot log in", "service-outage"),
        ("Ransomware has encrypted our file server", "cyber-attack"),
        ("A heat pump caught fire, one person was burnt; do we need a recall?", "product-safety"),
        ("A journalist asks about allegations against our CFO", "press-storm"),
        ("The bank cancelled: payroll at risk, cash shortfall by Friday", "cash-shortfall"),
        ("Our supplier stopped deliveries after a strike", "supplier-failure"),
        ("Rahul had an accident in Porto and is in hospital", "person-in-need"),
        ("The thing with the other thing", "other"),
        ("Datenpanne: Kundendaten sind öffentlich", "data-breach"),
    ],
)
def test_a_report_finds_its_playbook(report: str, playbook: str) -> None:
    """By the words that its playbook calls signs; without any the general one, and it says so."""
    found = assess(report, SHELF, AT)
    assert found.playbook == playbook
    assert bool(found.words) == (playbook != "other")


def test_denied_words_do_not_count() -> None:
    """Nobody hurt is not somebody hurt; a drill is no crisis."""
    hurt = assess("The line caught fire and a colleague is hurt", SHELF, AT)
    well = assess("The line caught fire and nobody is hurt", SHELF, AT)
    assert hurt.score > well.score
    assert not assess("Drill: ransomware on the file server", SHELF, AT).is_crisis


def test_escalation_by_the_lines() -> None:
    """Media at 0.6, the executive at 0.7, the board at 0.8; five minutes to decide."""
    for score, told in ((0.59, 0), (0.6, 1), (0.7, 2), (0.8, 3)):
        found = assess("something", SHELF, AT, severity=score)
        assert sum(one.reached for one in found.escalate) == told
        assert found.decide_by == AT + timedelta(minutes=5)
        assert found.is_crisis == (score >= 0.7)


@given(st.text(max_size=300), st.integers(0, 10**10))
@settings(max_examples=60, deadline=None)
def test_any_report_is_scored(text: str, affected: int) -> None:
    """Between nothing and one, whatever it says."""
    assert 0 <= assess(text, SHELF, AT, affected=affected).score <= 1


def test_pert_has_its_mean() -> None:
    """(least + 4 usual + most) / 6, within the bounds; without spread it is a constant."""
    draws = pert(np.random.default_rng(1), 10, 30, 120, 20_000)
    assert draws.min() >= 10
    assert draws.max() <= 120
    assert draws.mean() == pytest.approx((10 + 120 + 120) / 6, rel=0.02)
    assert set(pert(np.random.default_rng(1), 5, 5, 5, 10)) == {5.0}


def holder(role: str, person: str, reach: tuple[int, int, int] = (1, 5, 15)) -> Holder:
    return Holder(role=role, person=person, email="", phone="", why="", at_work="at work", reach=reach)


def test_one_owner_does_one_thing_at_a_time() -> None:
    """All roles in one hand take longer than in hands of their own, and the estimate tells what would help."""
    book = SHELF.playbooks["data-breach"]
    roles = {action.role for action in book.actions}
    alone = plan(book, {role: holder(role, "Ada") for role in roles}, AT)
    many = plan(book, {role: holder(role, role) for role in roles}, AT)
    assert alone.estimate.minutes > many.estimate.minutes
    assert alone.estimate.success < many.estimate.success
    assert alone.estimate.levers[0].success > alone.estimate.success
    assert alone.estimate.success == pytest.approx(alone.estimate.in_time * book.works, abs=2e-3)
    assert alone.estimate.method == METHOD
    assert alone == plan(book, {role: holder(role, "Ada") for role in roles}, AT)


@pytest.mark.parametrize("name", sorted(SHELF.playbooks))
def test_actions_come_after_what_they_wait_for(name: str) -> None:
    """Of every shipped playbook; nobody begins before they are reached; time that has passed lowers the chance."""
    book = SHELF.playbooks[name]
    planned = plan(book, {}, AT)
    ends = {one.id: one.ends for one in planned.actions}
    assert len(ends) == len(book.actions)
    for one in planned.actions:
        assert all(ends[before] <= one.starts + timedelta(minutes=1) for before in one.after)
        assert AT <= one.starts <= one.ends <= one.late + timedelta(minutes=1)
    late = plan(book, {}, AT, passed_minutes=minutes(book.contain_within))
    assert late.estimate.in_time == 0
    assert {action.role for action in book.actions} <= set(SHELF.roles)


def test_response_on_the_sample(call: Any) -> None:
    """Five parts, owners by title, the law of the country, messages in the recipient's form; nothing is missing."""
    what = "A hacker has leaked personal data of all our customers; a journalist is asking"
    told = call("crisis.respond", what=what, affected=12_000)
    assert told.missing == ()
    assert told.assessment.playbook == "data-breach"
    owners = {one.role: one.person for one in told.resources.holders}
    assert owners["technology"] == "Rahul Mehta"
    assert owners["assistant"] == "Samira Haddad"
    assert owners["privacy"] == "Felix Sommer"
    assert [one.why for one in told.strategy.clocks] == ["it is law in DE"] * 2
    board = {one.person: one for one in told.messages if one.audience == "board"}
    assert {"Helga Voss", "Daniel Ott", "Claire Dubois"} <= set(board)
    assert board["Daniel Ott"].body.startswith("Dear Daniel,")  # London: first names, regret before facts, in context
    assert board["Claire Dubois"].body.startswith("Dear Claire Dubois,")
    ott, dubois = board["Daniel Ott"].body, board["Claire Dubois"].body
    assert ott.index("sorry") < ott.index("personal data")
    assert dubois.index("personal data") < dubois.index("sorry")
    # 07:30 in Berlin is 06:30 in London: the office opens at nine there, and that is in time for neither.
    assert board["Daniel Ott"].by == told.assessment.situation.at + timedelta(hours=2)
    assert 0 < told.estimate.success <= told.estimate.works
    assert told.impact.until_contained == pytest.approx(4_000 * 8 * 1.0)


def test_countries_choose_the_law(call: Any) -> None:
    """The GDPR's clocks hold in France and Britain, not in the United States."""
    for country, count in (("FR", 2), ("GB", 2), ("US", 0)):
        told = call("crisis.respond", what="personal data leaked", countries=[country])
        assert len(told.strategy.clocks) == count


def test_a_users_playbook_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    """Named people own and are told; a broken file is refused by name and the others serve."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "own.yaml").write_text(
        "roles: {lead: {people: [boss@firm.example]}}\n"
        "playbooks:\n"
        "  - name: other\n    title: Ours\n    severity: 0.9\n    contain_within: 1h\n    works: 1\n"
        "    actions: [{id: a, what: Act, role: lead, takes: [1m, 2m, 3m], critical: true}]\n"
        "    audiences: [{who: friends, within: 1h, facts: It is so., people: [friend@x.example]}]\n"
    )
    (tmp_path / "playbooks" / "bad.yaml").write_text("playbooks: [{name: x}]\n")
    (tmp_path / "contacts").mkdir()
    cards = [("Bea Boss", "boss@firm.example"), ("Fritz Freund", "friend@x.example")]
    text = "".join(
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nORG:Firm\r\nEMAIL:{email}\r\nEND:VCARD\r\n"
        for name, email in cards
    )
    (tmp_path / "contacts" / "all.vcf").write_text(text)
    told = asyncio.run(warm(tmp_path, tmp_path / "state", "crisis.respond", what="something odd"))
    assert (told.assessment.title, told.actions[0].owner) == ("Ours", "Bea Boss")
    assert [one.person for one in told.messages] == ["Fritz Freund"]
    assert told.estimate.success == told.estimate.in_time > 0.8
    assert any("bad.yaml was not read" in note for note in told.notes)


HEAD = "playbooks: [{name: x, title: t, severity: 1, contain_within: 1h, actions: ["
ONE, OTHER = (f"{{id: {me}, what: w, role: r, takes: [1m, 1m, 1m], after: [{it}]}}" for me, it in ("ab", "ba"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("playbooks: [{name: A B}]", "playbooks"),
        ("- a", "playbooks cannot be used"),
        (": :", "not YAML"),
        (f"{HEAD}{ONE}, {OTHER}]}}]", "wait for each other"),
        (f"{HEAD}{{id: a, what: w, role: r, takes: [3m, 2m, 1m]}}]}}]", "do not rise"),
    ],
)
def test_a_playbook_that_cannot_work_is_refused(text: str, says: str) -> None:
    """By name and reason: circles, times that fall, wrong fields."""
    with pytest.raises(Unreadable, match=says):
        parse(text.encode())


def test_an_unknown_playbook_is_named(call: Any) -> None:
    """The error lists those there are."""
    with pytest.raises(InputError, match="data-breach"):
        call("crisis.respond", what="something", playbook="nope")


class Glutton(Agent):
    """Keeps every thread for computing busy until it is let go, and makes the calendar and the ledgers hang."""

    name = "glutton"

    def __init__(self) -> None:
        self.gate = threading.Event()

    @capability("glutton.eat", timeout="30s")
    async def eat(self, ctx: Context) -> None:
        """Take a thread."""
        await ctx.compute(self.gate.wait, 20.0)

    @capability("calendar.agenda", timeout="30s")
    async def agenda(self, ctx: Context, day: date, days: int = 1) -> None:
        """Never answer."""
        await asyncio.Event().wait()


async def test_a_crisis_does_not_queue_behind_the_rest(tmp_path: Path) -> None:
    """All computing threads taken, the calendar hanging, 200 tasks waiting: the response says what it could not ask."""
    told = load(SAMPLE / "pea.yaml", environ={}, overrides={"state": str(tmp_path), "runtime.concurrency": 8})
    glutton = Glutton()
    async with Runtime(told, agents=[Crisis(), glutton]) as runtime:
        await runtime.call("crisis.playbooks")  # what `start` has read a second later
        for _ in range(200):
            runtime.scheduler.submit("glutton.eat", {})
        await asyncio.sleep(0)
        from pea.runtime import Priority

        task = runtime.scheduler.submit("crisis.respond", {"what": "personal data leaked"}, priority=Priority.CRITICAL)
        done = await runtime.scheduler.wait(task.id, 15)  # as it stands then: only now are the threads let go
        glutton.gate.set()
        assert done.final
        assert done.error is None
        assert b"Rahul Mehta" in bytes(done.result or b"")
        assert re.search(
            rb"could not be asked in time \((?:TimeoutError|DeadlineExceeded)\)", bytes(done.result or b"")
        )


async def test_a_crisis_is_answered_though_the_files_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk with the workspace is part of it: the playbooks that are shipped remain, and the reason is told."""
    monkeypatch.setattr(_crisis_room, "FRESH_S", 0.0)
    (tmp_path / "office").mkdir()
    told = load(environ={}, overrides={"workspace": str(tmp_path / "office"), "state": str(tmp_path / "state")})
    async with Runtime(told, agents=[Crisis()]) as runtime:
        before = await runtime.call("crisis.respond", what="personal data leaked")
        (tmp_path / "office").rmdir()
        after = await runtime.call("crisis.respond", what="personal data leaked")
    assert [one.what for one in after.actions] == [one.what for one in before.actions]
    assert f"{tmp_path}/office was not read: is not a folder" in after.notes


class Asked(Agent):
    """A calendar that notes for how many days it is asked."""

    name = "asked"

    def __init__(self) -> None:
        self.days: list[int] = []

    @capability("calendar.agenda")
    async def agenda(self, ctx: Context, day: date, days: int = 1) -> None:
        """Nothing is on."""
        self.days.append(days)


@pytest.mark.parametrize(("now", "days"), [("2026-05-12T07:30", 1), ("2026-05-12T20:00", 2)])
async def test_the_hours_ahead_do_not_end_at_midnight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: str, days: int
) -> None:
    """In the evening tomorrow's first meetings are asked for as well."""
    for limit in ("PART_S", "ASIDE_S"):  # how fast this machine is does not matter here
        monkeypatch.setattr(f"pea.agents.crisis.{limit}", 3.0)
    told = load(SAMPLE / "pea.yaml", environ={}, overrides={"state": str(tmp_path), "today": now})
    calendar = Asked()
    async with Runtime(told, agents=[Crisis(), calendar]) as runtime:
        await runtime.call("crisis.respond", what="personal data leaked")
    assert calendar.days == [days]


async def test_a_task_is_critical_by_itself(tmp_path: Path) -> None:
    """Nobody has to remember to ask for it."""
    told = load(SAMPLE / "pea.yaml", environ={}, overrides={"state": str(tmp_path)})
    async with Runtime(told, agents=[Crisis()]) as runtime:
        for name in ("crisis.assess", "crisis.respond"):
            found = runtime.scheduler.find(name)
            assert found is not None
            assert found.declared.priority == "critical"


@needs(PUBLIC)
def test_public_mails_as_reports(tmp_path: Path) -> None:
    """The text of each public mail as a report: all are assessed, and ordinary ones are mostly no crisis."""
    reports = [path.read_text("utf-8", "replace")[:5_000] for path in sorted(PUBLIC.glob("erp/*.txt"))]
    found = [assess(text, SHELF, AT) for text in reports]
    assert len(found) == 24
    assert sum(one.is_crisis for one in found) == 0
