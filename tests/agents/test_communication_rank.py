"""Each point of the triage is given for what its rule says, told in words, and summed without remainder."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.agents._inbox import Inbox, turn
from pea.agents._people import Circle, Me, circle, identify
from pea.agents._triage import Ranking, rank
from pea.workspace.mail import Address, Message, Thread, threads

NOW = datetime.fromisoformat("2026-05-12T07:30:00+02:00")
SINCE = NOW - timedelta(days=60)
NORA = Address("nora@home.example", "Nora")
ANN = Address("ann@x.example", "Ann")
ME = Me(frozenset({NORA.email}), "Nora Brandt")
NOBODY = Circle(Counter(), Counter(), lambda _email: None)

ASKS = Message(
    id="m", subject="Plan", sender=ANN, to=(NORA,), date=NOW - timedelta(days=1), flags=("seen",), text="Can you come?"
)


def ranked(*messages: Message, people: Circle = NOBODY) -> Ranking:
    return rank(threads(messages), ME, people, NOW, SINCE)


def whys(ranking: Ranking) -> str:
    items = (*ranking.answer, *ranking.reading, *ranking.suspicious)
    return "; ".join(reason.why for item in items for reason in item.reasons)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flags": ("flagged", "seen")}, "you flagged it"),
        ({"urgent": True}, "marked as important by its sender"),
        ({"flags": ("flagged",)}, "unread"),
        ({"invitation": "REQUEST", "text": ""}, "a meeting invitation"),
        ({"encrypted": "PGP", "text": ""}, "its text is encrypted (PGP) and was not read"),
        ({"to": (ANN,), "delivered_to": (NORA.email,)}, "you got a blind copy"),
        ({"to": (ANN,)}, "your address is not among those it was sent to"),
        ({"to": (NORA, *(Address(f"p{n}@x.example") for n in range(9)))}, "addressed to you among 10 people"),
        ({"to": (ANN,), "cc": (NORA,), "text": "Nora, can you come?"}, "calls you by name"),
        ({"date": None}, "it has no date"),
        ({"date": NOW - timedelta(days=13)}, "13 days old"),
        ({"sender": None}, "its sender gives no address"),
        ({"sender": Address("bob@home.example")}, "from your own domain, home.example"),
        ({"text": "Can you send it by 10 May?", "date": NOW - timedelta(days=5)}, "overdue"),
        ({"text": "Can you send it by 15 April?", "date": NOW - timedelta(days=40)}, "long past"),
        ({"text": "Can you come on Friday?", "date": NOW - timedelta(days=7)}, "which has passed"),
        (
            {"subject": "Need it by tomorrow 17:00", "text": "Can you?"},
            "due Tue 12 May at 17:00 (“by tomorrow”): today",
        ),
    ],
)
def test_each_rule_is_told(change: dict[str, object], why: str) -> None:
    """The reason for each point stands in the answer."""
    assert why in whys(ranked(msgspec.structs.replace(ASKS, **change)))


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        ({}, True),
        ({"text": "All is done."}, False),
        ({"to": (ANN,), "cc": (NORA,)}, False),
        ({"to": (ANN,), "cc": (NORA,), "text": "Nora, can you come?"}, True),
        ({"to": (ANN,), "cc": (NORA,), "flags": ("flagged",)}, True),
        ({"flags": ("replied", "seen")}, False),
        ({"flags": ("trashed", "seen")}, False),
        ({"flags": ("draft",)}, False),
        ({"bulk": "Precedence: bulk"}, False),
        ({"sender": Address("no-reply@x.example")}, False),
        ({"sender": Address("newsletter@x.example")}, False),
        ({"sender": NORA, "to": (ANN,)}, False),
        ({"date": NOW + timedelta(days=2)}, False),
        ({"date": NOW - timedelta(days=100)}, False),
    ],
)
def test_what_waits_for_an_answer(change: dict[str, object], waits: bool) -> None:
    """Only what asks, in person, of the user, within the window, and was not answered."""
    assert bool(ranked(msgspec.structs.replace(ASKS, **change)).answer) is waits


def test_known_people_are_not_suspected() -> None:
    """The words of a trap from somebody the user wrote to are an ordinary request."""
    lure = msgspec.structs.replace(ASKS, text="Can you confirm your account? https://x.example")
    assert len(ranked(lure).suspicious) == 1
    known = Circle(Counter({ANN.email: 1}), Counter(), lambda _email: None)
    assert len(ranked(lure, people=known).answer) == 1


def test_a_question_stands_though_its_sender_wrote_again() -> None:
    """A later mail without a question does not hide the one that asked."""
    later = msgspec.structs.replace(ASKS, id="n", text="Here is the map.", references=("m",), date=NOW)
    (item,) = ranked(ASKS, later).answer
    assert item.message_id == "m"
    assert "they wrote 2 times without an answer from you" in whys(ranked(ASKS, later))


MESSAGES = st.builds(
    Message,
    id=st.text("abc", min_size=1, max_size=2),
    subject=st.sampled_from(["Plan", "Re: Plan", "by Friday", ""]),
    sender=st.sampled_from([ANN, NORA, None, Address("", "x")]),
    to=st.sampled_from([(NORA,), (ANN,), (ANN, NORA), ()]),
    date=st.sampled_from([None, NOW, NOW - timedelta(days=4), NOW - timedelta(days=400), NOW + timedelta(days=9)]),
    references=st.lists(st.text("abc", min_size=1, max_size=2), max_size=2).map(tuple),
    flags=st.sampled_from([(), ("seen",), ("replied",), ("flagged",), ("trashed",)]),
    text=st.sampled_from(["", "Can you come by Friday?", "Thanks!", "A reminder: please answer asap.", "ok"]),
    bulk=st.sampled_from(["", "Precedence: bulk"]),
)


@given(st.lists(MESSAGES, max_size=8))
@settings(max_examples=200, deadline=None)
def test_every_conversation_is_counted_once(messages: list[Message]) -> None:
    """Whatever the mail, each conversation with a present mail lands in exactly one place, and points add up."""
    found = threads(messages)
    ranking = rank(found, ME, NOBODY, NOW, SINCE)
    items = (*ranking.answer, *ranking.reading, *ranking.suspicious)
    present = sum(
        any("trashed" not in m.flags and (m.date is None or m.date <= NOW) for m in thread.messages) for thread in found
    )
    assert len(items) + ranking.bulk + ranking.answered + ranking.older == present
    assert all(item.score == sum(reason.points for reason in item.reasons) for item in items)
    assert [item.score for item in ranking.answer] == sorted((i.score for i in ranking.answer), reverse=True)


@pytest.mark.parametrize(
    ("change", "owes"),
    [
        ({}, "you"),
        ({"text": "Thanks a lot!"}, "nobody"),
        ({"text": "The office is closed."}, "nobody"),
        ({"flags": ("replied",)}, "nobody"),
        ({"bulk": "Precedence: bulk"}, "nobody"),
        ({"sender": NORA, "to": (ANN,)}, "they"),
        ({"sender": NORA, "to": (ANN,), "text": "See you."}, "nobody"),
    ],
)
def test_whose_turn_it_is(change: dict[str, object], owes: str) -> None:
    """The turn follows from who wrote last and what was asked."""
    message = msgspec.structs.replace(ASKS, **change)
    assert turn(Thread("m", "Plan", (message,)), ME)[0] == owes


def test_the_user_is_guessed_by_delivery_first() -> None:
    """Where mail was delivered to says more than whom it was addressed to."""
    messages = [msgspec.structs.replace(ASKS, id=str(n), to=(ANN,), delivered_to=(NORA.email,)) for n in range(3)]
    assert identify(messages, (), "").emails == {NORA.email}
    assert identify([], (), "").emails == frozenset()
    assert identify(messages, ("Other@X.example",), "").emails == {"other@x.example"}


def test_a_circle_counts_both_ways() -> None:
    """Whom the user wrote to and heard from is counted by address."""
    mine = msgspec.structs.replace(ASKS, id="n", sender=NORA, to=(ANN,))
    found = circle([ASKS, mine], ME, lambda _email: None)
    assert (found.written_to[ANN.email], found.heard_from[ANN.email]) == (1, 1)


def test_weighing_ends_with_its_time() -> None:
    """What the time did not suffice for is counted, the newest conversations are weighed first."""
    mails = [
        msgspec.structs.replace(ASKS, id=f"m{n}", subject=f"Plan {n}", date=NOW - timedelta(days=n + 1))
        for n in range(10)
    ]
    now = iter(range(100))
    ranking = rank(threads(mails), ME, NOBODY, NOW, SINCE, budget_s=3.0, clock=lambda: next(now))
    assert [item.subject for item in ranking.answer] == ["Plan 0", "Plan 1", "Plan 2"]
    assert ranking.unweighed == 7


def test_an_answer_cut_short_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A triage that ran out of time says so, and changes the version under which answers are kept."""
    (tmp_path / "mail").mkdir()
    for n in range(3):
        (tmp_path / "mail" / f"{n}.eml").write_text(
            f"From: ann@x.example\nTo: nora@home.example\nDate: Mon, 11 May 2026 09:0{n}:00 +0200\n"
            f"Message-ID: <{n}@x>\nSubject: Plan {n}\n\nCan you come?\n"
        )
    inbox = Inbox(tmp_path, None, emails=[NORA.email])
    inbox.refresh(10.0)
    before = inbox.version
    assert not [note for note in inbox.triage(20, SINCE.date(), NOW).notes if "weighed" in note]
    assert inbox.version == before
    monkeypatch.setattr("pea.agents._inbox.WEIGHING_BUDGET_S", -1.0)
    assert "3 older conversations could not be weighed" in " ".join(inbox.triage(20, SINCE.date(), NOW).notes)
    assert inbox.version != before
