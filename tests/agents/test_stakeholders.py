"""The stakeholders agent: each person once, standing by a stated formula, answers timed, silence judged by habit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea import InputError, Runtime
from pea.agents._people import Me
from pea.agents._stakeholders_desk import WEIGHTS
from pea.agents._stakeholders_people import Met, answers, gather, median_interval
from pea.agents.calendar import Calendar
from pea.agents.stakeholders import Stakeholders
from pea.config import load
from pea.workspace.contacts import Contact
from pea.workspace.mail import Address, Message, threads
from tests.agents.office import SAMPLE

NOW = datetime(2026, 5, 12, 8, tzinfo=UTC)
ME = Me(frozenset({"me@firm.example"}))


def ask(workspace: Path, state: Path, capability: str, **arguments: Any) -> Any:
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin"}
    told = load(config if config.exists() else None, environ={}, overrides=overrides)

    async def once() -> Any:
        async with Runtime(told, agents=[Calendar(), Stakeholders()]) as runtime:
            return await runtime.call(capability, **arguments)

    return asyncio.run(once())


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, capability, **arguments)


def mail(number: int, sender: str, *to: str, days: float = 1.0, name: str = "", references: str = "") -> Message:
    return Message(
        id=f"m{number}",
        subject=f"Subject {number}",
        sender=Address(sender, name),
        to=tuple(Address(one) for one in to),
        date=NOW - timedelta(days=days),
        references=(references,) if references else (),
    )


def nobody(_email: str) -> Contact | None:
    return None


def test_one_person_with_two_addresses_is_one() -> None:
    """A card holds both; or the same whole name writes from both and no card says otherwise."""
    card = Contact("Ada Byron", emails=("ada@firm.example", "ada@home.example"), uid="1")
    book = dict.fromkeys(card.emails, card)
    mails = [mail(1, "ada@firm.example", "me@firm.example"), mail(2, "ada@home.example", "me@firm.example")]
    (one,) = gather(mails, [], ME, book.get, NOW).people
    assert (one.emails, one.merged) == (("ada@firm.example", "ada@home.example"), "one card holds them")
    mails = [
        mail(1, "c@x.example", "me@firm.example", name="Charles Babbage"),
        mail(2, "c@y.example", "me@firm.example", name="charles babbage"),
        mail(3, "d@y.example", "me@firm.example", name="Charles"),
    ]
    found = gather(mails, [], ME, nobody, NOW).people
    assert sorted(one.emails for one in found) == [("c@x.example", "c@y.example"), ("d@y.example",)]


def test_circulars_machines_and_the_future_say_nothing() -> None:
    """A mail to thirteen people weighs nothing, a no-reply address is a machine, a mail of tomorrow has not been."""
    crowd = [f"p{n}@x.example" for n in range(13)]
    mails = [
        mail(1, "me@firm.example", *crowd),
        mail(2, "no-reply@shop.example", "me@firm.example"),
        mail(3, "ada@x.example", "me@firm.example", days=-1),
    ]
    found = gather(mails, [], ME, nobody, NOW)
    assert (found.people, found.machines) == ((), 1)


def test_meetings_count_and_those_ahead_are_kept_apart() -> None:
    """What is to come is no contact yet."""
    met = [
        Met("Review", NOW - timedelta(days=2), (("A B", "a@x.example"),)),
        Met("Next", NOW + timedelta(days=2), (("A B", "a@x.example"),)),
    ]
    (one,) = gather([], met, ME, nobody, NOW).people
    assert [touch.how for touch in one.touches] == ["met"]
    assert len(one.ahead) == 1


def test_answers_are_timed_from_the_turn() -> None:
    """From their first unanswered mail to the answer; a second mail before it does not begin anew."""
    mails = [
        mail(1, "a@x.example", "me@firm.example", days=3),
        mail(2, "a@x.example", "me@firm.example", days=2, references="m1"),
        mail(3, "me@firm.example", "a@x.example", days=1, references="m2"),
        mail(4, "a@x.example", "me@firm.example", days=0.5, references="m3"),
    ]
    mine, theirs = answers(threads(mails), ME, frozenset({"a@x.example"}))
    assert (mine, theirs) == ([48.0], [12.0])


def test_interval_of_the_median_by_order_statistics() -> None:
    """Of ten values the second smallest and largest (97.9 %); of five none exists, and it says so."""
    assert median_interval([float(n) for n in range(1, 11)]) == (5.5, 2.0, 9.0, True)
    assert median_interval([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 1.0, 5.0, False)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    """Whatever the values, low ≤ median ≤ high."""
    middle, low, high, _ = median_interval(values)
    assert low <= middle <= high


def test_interval_of_very_many() -> None:
    """Ten thousand answers neither overflow nor widen it."""
    middle, low, high, sure = median_interval([float(n) for n in range(10_000)])
    assert sure
    assert high - low < 220
    assert low < middle < high


def test_standing_is_the_sum_of_its_parts(call: Any) -> None:
    """Each part says what it was reckoned from; weights add up to one."""
    told = call("stakeholders.rank", limit=50)
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    for one in told.people:
        assert one.score == pytest.approx(sum(part.value * part.weight for part in one.parts), abs=1e-3)
        assert all(0 <= part.value <= 1 and part.why for part in one.parts)
    assert [one.score for one in told.people] == sorted((one.score for one in told.people), reverse=True)
    names = [one.name for one in told.people]
    assert len(names) == len(set(names))
    assert told.machines == 14


def test_a_person_by_a_part_of_the_name(call: Any) -> None:
    """Rank, response time, the question that is open; a wrong name gets the nearest."""
    told = call("stakeholders.person", person="Hastings")
    assert told.standing.emails == ("oliver.hastings@greyfriars-controls.example",)
    assert told.you_answer is not None
    assert (told.you_answer.count, told.you_answer.sure) == (1, False)
    assert any("price ceiling" in question.asked for question in told.questions_to_you)
    with pytest.raises(InputError, match="did you mean 'Oliver Hastings'"):
        call("stakeholders.person", person="Olivr Hasting")


def test_the_promise_to_the_board_is_late(call: Any) -> None:
    """Promised for Friday, today is Tuesday."""
    (one,) = call("stakeholders.promises").mine
    assert (one.to, one.days_left) == ("Helga Voss", -4)


def test_silence_is_judged_by_habit(tmp_path: Path) -> None:
    """Weekly mails that ended six weeks ago lapse; a yearly one of six weeks ago does not."""
    (tmp_path / "mail").mkdir()
    lines = []
    for number, days in enumerate([84, 77, 70, 63, 56, 49, 42]):
        day = datetime(2026, 5, 12, 9, tzinfo=UTC) - timedelta(days=days)
        lines.append(("Weekly Wanda <wanda@x.example>", day, number))
    for number, days in enumerate([345, 240, 140, 42]):
        day = datetime(2026, 5, 12, 9, tzinfo=UTC) - timedelta(days=days)
        lines.append(("Rare Rudi <rudi@x.example>", day, 100 + number))
    for sender, day, number in lines:
        head = f"From: {sender}\nTo: me@firm.example\nSubject: News {number}\nMessage-ID: <n{number}@x>\n"
        text = f"{head}Date: {day:%a, %d %b %Y %H:%M:%S} +0000\n\nHello\n"
        (tmp_path / "mail" / f"{number}.eml").write_text(text)
    told = ask(tmp_path, tmp_path / "state", "stakeholders.neglected")
    assert [(one.name, one.usual_gap_days) for one in told.people] == [("Weekly Wanda", 7.0)]
    assert told.people[0].times == pytest.approx(6.0, abs=0.1)
    assert told.people[0].advice == "answer them"


def test_public_mail(public: Path, kept: Path) -> None:
    """Public mails: every one that can be read is, each sender is a person or a machine, and nothing raises."""
    told = ask(public, kept, "stakeholders.rank", since="1990-01-01", limit=500)
    assert (told.sources.read, told.sources.refused_count) == (24, 14)
    assert (told.considered, len(told.people)) == (6, 6)
    assert told.sources.items == 27
