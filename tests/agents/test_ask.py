"""A request in plain words becomes the right call; the unclear is asked, what writes is left, nonsense refused."""

from datetime import date
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import Agent, Context, PeaError, Runtime, Settings, capability
from pea.agents import _ask
from pea.agents._ask_days import find_when
from pea.agents._ask_rank import book
from pea.agents._ask_slots import find_slots
from pea.agents._ask_views import Reply
from pea.agents.orchestrator import Orchestrator
from pea.runtime.directory import Directory
from pea.runtime.discovery import installed, load
from pea.runtime.offers import offers

TODAY = date(2026, 5, 12)  # a Tuesday
TABLES = Path(__file__).parent / "ask"


@pytest.fixture(scope="module")
def offered():
    """What the installed agents offer."""
    directory = Directory()
    for agent in load(installed())[0]:
        directory.add(agent)
    return offers(directory.capabilities)


def right(row, offered):
    """Whether a row of a table was read as it says."""
    wanted = row["is"] if isinstance(row["is"], list) else [row["is"]]
    reading = _ask.read(row["say"], offered, TODAY)
    if reading.status in ("refused", "writes"):
        return reading.status in wanted
    arguments = {name: str(value) for name, value in reading.understood.arguments.items()}
    asked = {name: str(value) for name, value in row.get("with", {}).items()}
    return (
        reading.status == "clear"
        and reading.understood.capability in wanted
        and all(arguments.get(name) == value for name, value in asked.items())
    )


@pytest.mark.parametrize(
    ("tables", "rows", "share"),
    [(["development"], 85, 0.95), (["held_out_before", "held_out_after"], 136, 0.85)],
)
def test_accuracy(offered, tables, rows, share):
    """So many of the requests are read wholly right: capability and arguments, without asking back."""
    table = [row for name in tables for row in yaml.safe_load((TABLES / f"{name}.yaml").read_text("utf-8"))]
    assert len(table) >= rows
    wrong = [row["say"] for row in table if not right(row, offered)]
    assert 1 - len(wrong) / len(table) >= share, wrong


@pytest.mark.parametrize(
    "request_",
    [
        "asdf qwer",
        "!!!",
        "42",
        "the of and",
        "\x00",
        "🦄🦄🦄",
        "lorem ipsum dolor",
        "make me a sandwich",
        "' OR 1=1 --",
    ],
)
def test_nonsense_is_refused(offered, request_):
    """What says nothing to anybody is refused, with examples of what can be said."""
    reading = _ask.read(request_, offered, TODAY)
    assert reading.status == "refused"
    assert "For example" in reading.question


def test_what_is_missing_is_asked(offered):
    """An argument that must be given and is not is asked for in words."""
    reading = _ask.read("summarise", offered, TODAY)
    assert (reading.status, reading.question) == ("unsure", "Which document?")


@pytest.mark.parametrize(
    ("text", "first", "last", "shape"),
    [
        ("today", "2026-05-12", "2026-05-12", "day"),
        ("day after tomorrow", "2026-05-14", "2026-05-14", "day"),
        ("on Tuesday", "2026-05-12", "2026-05-12", "day"),
        ("next Tuesday", "2026-05-19", "2026-05-19", "day"),
        ("last Tuesday", "2026-05-05", "2026-05-05", "day"),
        ("since Friday", "2026-05-08", "2026-05-12", "since"),
        ("by Friday", "2026-05-12", "2026-05-15", "until"),
        ("this week", "2026-05-12", "2026-05-17", "days"),
        ("next week", "2026-05-18", "2026-05-24", "days"),
        ("last month", "2026-04-01", "2026-04-30", "month"),
        ("in February", "2026-02-01", "2026-02-28", "month"),
        ("in December", "2025-12-01", "2025-12-31", "month"),
        ("March 2024", "2024-03-01", "2024-03-31", "month"),
        ("the next two weeks", "2026-05-12", "2026-05-25", "ahead"),
        ("the last 30 days", "2026-04-12", "2026-05-12", "back"),
        ("in 3 days", "2026-05-15", "2026-05-15", "day"),
        ("two weeks ago", "2026-04-28", "2026-04-28", "day"),
        ("from 1 June to 5 June", "2026-06-01", "2026-06-05", "days"),
        ("this weekend", "2026-05-16", "2026-05-17", "days"),
        ("last quarter", "2026-01-01", "2026-03-31", "days"),
        ("Q3", "2026-07-01", "2026-09-30", "days"),
        ("the 31st", "2026-05-31", "2026-05-31", "day"),
        ("the 3rd", "2026-06-03", "2026-06-03", "day"),
        ("2026-12-24", "2026-12-24", "2026-12-24", "day"),
    ],
)
def test_days_as_people_say_them(text, first, last, shape):
    """Each expression means these days."""
    when, _ = find_when(text, TODAY)
    assert (when.first.isoformat(), when.last.isoformat(), when.shape) == (first, last, shape)


@pytest.mark.parametrize("text", ["may I ask", "march on", "she sat down", "a second", "sun and rain", "the 32nd"])
def test_words_that_are_no_days(text):
    """A verb that is spelt as a month or a day is none."""
    assert find_when(text, TODAY)[0] is None


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=200), today=st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_any_text_is_read_without_failing(text, today):
    """Whatever is typed on whatever day, reading ends, and days stand in order."""
    slots = find_slots(text, today)
    assert slots.when is None or slots.when.first <= slots.when.last


_TIMES = "next last in since 99 9999 weeks months years ago days february 29 quarter the 31st q4 hours with and anna to"
_PIECES = st.sampled_from(_TIMES.split())


@settings(max_examples=150, deadline=None)
@given(words=st.lists(_PIECES, max_size=12), today=st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_any_words_of_time_are_read_without_failing(words, today):
    """Nonsense made of the grammar's own words is nonsense, not a crash."""
    slots = find_slots(" ".join(words), today)
    assert slots.minutes is None or 1 <= slots.minutes <= 24 * 60


def test_a_length_beyond_any_number_is_a_day():
    """Four hundred digits are more than a float holds."""
    assert find_slots(f"a slot of {'9' * 400} minutes", TODAY).minutes == 24 * 60


def test_the_book_speaks_of_what_there_is(offered):
    """What the book has an argument for is an argument of that capability."""
    by_name = {offer.name: offer for offer in offered}
    for name, entry in book().items():
        if name in by_name and entry.takes:
            assert entry.takes in by_name[name].fields, name


class Greenhouse(Agent):
    """A user's own agent, which no book knows."""

    name = "greenhouse"
    watered = 0

    @capability("greenhouse.humidity", idempotent=True)
    async def humidity(self, ctx: Context, day: date | None = None) -> str:
        """Tell the humidity and temperature measured in the greenhouse."""
        return f"80 % on {day}"

    @capability("greenhouse.water")
    async def water(self, ctx: Context) -> None:
        """Water the tomatoes and cucumbers in the greenhouse."""
        type(self).watered += 1

    @capability("greenhouse.break", idempotent=True)
    async def fail(self, ctx: Context) -> None:
        """Say which sensors are defective."""
        raise PeaError("the gateway is down")


async def ask(runtime, request):
    """The orchestrator's reply."""
    return msgspec.convert(await runtime.call("orchestrator.ask", request=request), Reply, from_attributes=True)


async def test_a_users_own_agent_is_asked_by_its_description():
    """Without a word in the book a capability is found by what it says of itself, and called."""
    async with Runtime(Settings(today="2026-05-12"), agents=[Orchestrator(), Greenhouse()]) as runtime:
        reply = await ask(runtime, "what is the humidity in the greenhouse tomorrow?")
        assert (reply.status, reply.result) == ("answered", "80 % on 2026-05-13")
        assert reply.understood.command == "pea run greenhouse.humidity day=2026-05-13"


async def test_what_writes_is_never_run():
    """A request for something that changes the world is understood and left to the user."""
    async with Runtime(Settings(today="2026-05-12"), agents=[Orchestrator(), Greenhouse()]) as runtime:
        reply = await ask(runtime, "water the tomatoes in the greenhouse")
        assert (reply.status, Greenhouse.watered) == ("writes", 0)
        assert reply.understood.capability == "greenhouse.water"
        assert (await ask(runtime, "remember that Anna likes tea")).status == "writes"
        assert (await runtime.call("memory.search")).memories == []


async def test_what_fails_is_told():
    """A call that was right and failed says why."""
    async with Runtime(Settings(today="2026-05-12"), agents=[Orchestrator(), Greenhouse()]) as runtime:
        reply = await ask(runtime, "which sensors are defective?")
        assert (reply.status, reply.question) == ("failed", "the gateway is down")
