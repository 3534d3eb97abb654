"""The triage learns from corrections: they change later ranks, are listed, are bounded, and can be undone exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import InputError
from pea.agents._feedback import _MOST, MOST_CORRECTIONS, Feedback, learn
from pea.agents._letter_views import Correction
from tests.agents.test_communication import running, write  # noqa: F401 - fixtures

NOW = datetime(2026, 5, 12, 5, 30, tzinfo=UTC)
ANN, BOB = "Ann <ann@x.example>", "Bob <bob@y.example>"


async def ranks(runtime) -> list[str]:
    return [item.subject for item in (await runtime.call("communication.triage")).answer]


async def test_a_correction_changes_later_ranks_and_says_so(running, write):  # noqa: F811
    """Mails of a sender corrected once rank higher, with the reason; after undoing, exactly as before."""
    write("a1", "Can you look at this?", sender=ANN, subject="One", days=2)
    write("b1", "Can you look at this?", sender=BOB, subject="Two", days=2)
    write("b2", "Can you look at that?", sender=BOB, subject="Three", days=2)
    async with running() as runtime:
        before = await runtime.call("communication.triage")
        correction = await runtime.call("communication.feedback", message="Two", wanted="higher")
        after = await runtime.call("communication.triage")
        assert [item.subject for item in after.answer] == ["Two", "Three", "One"]
        told = [reason for item in after.answer for reason in item.reasons if reason.why.startswith("you ranked")]
        assert "you ranked mails from bob@y.example higher" in [reason.why for reason in told]
        assert all(item.score == sum(reason.points for reason in item.reasons) for item in after.answer)
        listed = await runtime.call("communication.corrections")
        assert [(one.id, one.wanted, one.undone) for one in listed] == [(correction.id, "higher", False)]
        await runtime.call("communication.undo", correction=correction.id)
        assert (await runtime.call("communication.triage")).answer == before.answer
        assert (await runtime.call("communication.corrections"))[0].undone


async def test_what_needs_no_answer_leaves_the_list(running, write):  # noqa: F811
    """The conversation itself moves at once; others of the sender only when they were corrected twice."""
    for number in range(3):
        write(f"n{number}", "Could you fill in our survey?", sender=BOB, subject=f"Survey {number}", days=1)
    async with running() as runtime:
        await runtime.call("communication.feedback", message="Survey 0", wanted="no-answer")
        assert sorted(await ranks(runtime)) == ["Survey 1", "Survey 2"]
        await runtime.call("communication.feedback", message="Survey 1", wanted="no-answer")
        assert await ranks(runtime) == []


async def test_corrections_outlive_the_process(running, write):  # noqa: F811
    """They are on disk: a new process ranks by them."""
    write("a", "Can you look?", sender=ANN, subject="One")
    async with running() as runtime:
        await runtime.call("communication.feedback", message="One", wanted="no-answer")
    async with running() as runtime:
        assert await ranks(runtime) == []


async def test_a_machine_that_matters_is_weighed(running, write):  # noqa: F811
    """Mails that are left aside are shown to be read once the user wants them."""
    write("m", "The build is broken.", sender="CI <noreply@ci.example>", subject="Build", Precedence="bulk")
    async with running() as runtime:
        assert (await runtime.call("communication.triage")).bulk == 1
        await runtime.call("communication.feedback", message="Build", wanted="higher")
        found = await runtime.call("communication.triage")
        assert ([item.subject for item in found.reading], found.bulk) == (["Build"], 0)


async def test_no_learning_makes_a_trap_harmless(running, write):  # noqa: F811
    """However often its sender was ranked higher, what looks like phishing stays among the suspicious."""
    trap = "Please verify your account password: https://evil.example/login"
    write("t", trap, sender="Bank <bank@evil.example>", subject="Account")
    async with running() as runtime:
        for _ in range(3):
            await runtime.call("communication.feedback", message="Account", wanted="answer")
        found = await runtime.call("communication.triage")
        assert ([i.subject for i in found.suspicious], found.waiting) == (["Account"], 0)


async def test_what_does_not_exist_cannot_be_corrected_or_undone(running, write):  # noqa: F811
    """Both say what there is."""
    write("a", "Hello", subject="Budget")
    async with running() as runtime:
        with pytest.raises(InputError, match="did you mean 'Budget'"):
            await runtime.call("communication.feedback", message="Budgat", wanted="lower")
        with pytest.raises(InputError, match="no correction 7"):
            await runtime.call("communication.undo", correction=7)


def test_only_the_newest_corrections_are_kept(tmp_path):
    """The file is bounded: the oldest go, the numbers go on."""
    feedback = Feedback(tmp_path / "f.sqlite")
    for number in range(MOST_CORRECTIONS + 5):
        feedback.add(f"m{number}", "s", "lower", (f"thread:{number}",), NOW)
    kept = feedback.all()
    assert (len(kept), kept[-1].id, kept[0].message_id) == (MOST_CORRECTIONS, 6, f"m{MOST_CORRECTIONS + 4}")
    feedback.close()


def test_two_processes_see_each_other_s_corrections(tmp_path):
    """The version changes for whoever looks, so that no cached answer outlives a correction."""
    one, two = Feedback(tmp_path / "f.sqlite"), Feedback(tmp_path / "f.sqlite")
    before = two.version
    made = one.add("m", "s", "higher", ("sender:a@x",), NOW)
    assert two.version != before
    assert two.all() == [made]
    corrected = two.version
    two.undo(made.id)
    assert one.version != corrected


CORRECTIONS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["higher", "lower", "answer", "no-answer"]),
        st.booleans(),
        st.integers(0, 400),
    ),
    max_size=12,
).map(
    lambda rows: [
        Correction(n, NOW - timedelta(days=days), f"m{m}", "s", wanted, (f"thread:m{m}", "sender:a@x"), undone)
        for n, (m, wanted, undone, days) in enumerate(rows, 1)
    ]
)


@given(CORRECTIONS)
@settings(max_examples=60, deadline=None)
def test_learning_is_bounded_and_undoing_leaves_no_trace(corrections):
    """No number of corrections moves a feature by more than its bound; undone ones teach as if never made."""
    learned = learn(corrections, NOW)
    assert all(abs(points) <= _MOST[feature.partition(":")[0]] for feature, points in learned.points.items())
    assert learned == learn([one for one in corrections if not one.undone], NOW)
