"""The orchestrator asks the others side by side, and a part that fails or is late never takes the briefing with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pea import Agent, Context, InputError, Runtime, WorkspaceError, capability
from pea.agents import _briefing_papers as papers
from pea.agents._briefing import Briefing
from pea.agents._briefing_views import Entry, Hit, Search
from pea.agents.orchestrator import Orchestrator
from pea.config import load
from pea.workspace.files import Refusal, SourceReport

Answer = Callable[[], Awaitable[dict[str, Any]]]
Running = Callable[..., AbstractAsyncContextManager[Runtime]]


def report(name: str) -> dict[str, Any]:
    """The sources of one stand-in: two files read, one refused."""
    refused = (Refusal(f"{name}/broken", "it is empty"),)
    return msgspec.to_builtins(SourceReport(read=2, refused=refused, refused_count=1))


def entry(title: str, hour: int, **more: Any) -> dict[str, Any]:
    start = datetime.fromisoformat(f"2026-05-12T{hour:02}:00+02:00")
    return {"title": title, "start": start, "end": start.replace(minute=45), **more}


ENTRIES = [
    entry("Greyfriars contract", 9, location="Room 4", others=2),
    entry("Budget memo", 11),
    entry("Lunch meeting", 12),
]
CONFLICT = {
    "severity": "high",
    "start": ENTRIES[0]["start"],
    "end": ENTRIES[0]["end"],
    "reason": "they overlap",
    "advice": "move one",
}
WAITING = {
    "message_id": "1@example.com",
    "subject": "The freeze",
    "sender": "Tobias",
    "asks": ["Do you approve?"],
    "due": date(2026, 5, 12),
    "due_at": "17:00",
    "reasons": [{"points": 9, "why": "asks a question"}, {"points": 0, "why": "the first mail from this address"}],
}
LEG = {
    "what": "Flight BER → ZRH",
    "booked": True,
    "start_place": "BER",
    "end_place": "ZRH",
    "leave_by": datetime.fromisoformat("2026-05-12T17:30+02:00"),
    "start": datetime.fromisoformat("2026-05-12T20:10+02:00"),
    "arrive": datetime.fromisoformat("2026-05-12T21:40+02:00"),
    "details": [],
    "warnings": [],
}


class StandIn:
    """The other agents' answers, as plain data; a test replaces the one it is about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.entries = list(ENTRIES)

    async def agenda(self) -> Any:
        return {"entries": self.entries, "notes": [], "sources": report("calendars")}

    async def conflicts(self) -> Any:
        return {"conflicts": [CONFLICT], "more": 0, "sources": report("calendars")}

    async def triage(self) -> Any:
        return {"answer": [WAITING], "waiting": 1, "notes": [], "sources": report("mail")}

    async def itinerary(self) -> Any:
        return {"legs": [LEG], "zones": [], "warnings": [], "sources": report("calendars")}

    async def search(self, query: str) -> Any:
        hit = {"path": "documents/c.md", "title": query, "place": "line 1", "snippet": f"**{query}**", "score": 2.0}
        return {"hits": [hit], "all_words": True, "sources": report("documents")}


class Calendar(Agent):
    name = "calendar"

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    @capability("calendar.agenda")
    async def agenda(self, ctx: Context, day: date | None = None) -> Any:
        """The agenda."""
        self.stand_in.asked.append(("agenda", day))
        return await self.stand_in.agenda()

    @capability("calendar.conflicts")
    async def conflicts(self, ctx: Context, day: date | None = None) -> Any:
        """The conflicts."""
        return await self.stand_in.conflicts()


class Communication(Agent):
    name = "communication"

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    @capability("communication.triage")
    async def triage(self, ctx: Context) -> Any:
        """The mail."""
        return await self.stand_in.triage()


class Travel(Agent):
    name = "travel"

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    @capability("travel.itinerary")
    async def itinerary(self, ctx: Context, day: date | None = None) -> Any:
        """The way."""
        return await self.stand_in.itinerary()


class Documents(Agent):
    name = "documents"

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    @capability("documents.search")
    async def search(self, ctx: Context, query: str, limit: int = 10) -> Any:
        """The documents."""
        self.stand_in.asked.append(("search", query))
        return await self.stand_in.search(query)


@pytest.fixture
def others() -> StandIn:
    return StandIn()


@pytest.fixture
def running(others: StandIn, tmp_path: Path) -> Running:
    """A runtime with the orchestrator and the stand-ins of these kinds."""

    @asynccontextmanager
    async def start(*kinds: type) -> AsyncIterator[Runtime]:
        overrides = {"state": str(tmp_path), "today": "2026-05-12", "user.timezone": "Europe/Berlin"}
        agents = [Orchestrator(), *(kind(others) for kind in kinds or (Calendar, Communication, Travel, Documents))]
        async with Runtime(load(environ={}, overrides=overrides), agents=agents) as runtime:
            yield runtime

    return start


async def never() -> Any:
    await asyncio.Event().wait()


def failing(error: Exception) -> Callable[..., Awaitable[Any]]:
    async def fail(*_: Any) -> Any:
        raise error

    return fail


def missing(briefing: Briefing) -> dict[str, str]:
    return {each.part: each.reason for each in briefing.missing}


async def test_a_briefing_of_all_parts(running: Running) -> None:
    """Conflicts first, then who waits, then travel, the day and its documents; nothing is missing."""
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert [section.kind for section in briefing.sections] == ["conflicts", "answers", "travel", "day", "documents"]
    assert briefing.missing == ()
    assert briefing.headline == (
        "3 appointments from 09:00 to 12:45, 1 conflict, 1 message to answer (1 due today), leave for BER by 17:30."
    )


async def test_the_result_is_json_and_back(running: Running) -> None:
    """What the service sends over HTTP can be read as a briefing again."""
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert msgspec.json.decode(msgspec.json.encode(briefing), type=Briefing) == briefing


async def test_the_parts_are_asked_side_by_side(running: Running, others: StandIn) -> None:
    """Each part begins before any other has ended: four of them meet at one barrier."""
    barrier = asyncio.Barrier(4)

    def meeting(answer: Answer) -> Answer:
        async def wait() -> Any:
            await barrier.wait()
            return await answer()

        return wait

    for name in ("agenda", "conflicts", "triage", "itinerary"):
        setattr(others, name, meeting(getattr(others, name)))
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert briefing.missing == ()


@pytest.mark.parametrize(
    ("method", "part", "gone"),
    [
        ("agenda", "The calendar and documents", {"day", "documents"}),
        ("conflicts", "Conflicts", {"conflicts"}),
        ("triage", "Mail", {"answers"}),
        ("itinerary", "Travel", {"travel"}),
        ("search", "Documents", {"documents"}),
    ],
)
async def test_a_part_that_fails_is_named(
    running: Running, others: StandIn, method: str, part: str, gone: set[str]
) -> None:
    """The others are told all the same; what failed is said with its reason, in data and in text."""
    setattr(others, method, failing(WorkspaceError("is not a folder", fix="set workspace")))
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    kinds = {"conflicts", "answers", "travel", "day", "documents"}
    assert {section.kind for section in briefing.sections} == kinds - gone
    assert missing(briefing) == {part: "is not a folder (set workspace)"}
    assert f"MISSING FROM THIS BRIEFING\n  {part}: is not a folder (set workspace)" in briefing.text


@pytest.mark.parametrize(
    ("method", "part"),
    [("agenda", "The calendar and documents"), ("triage", "Mail"), ("itinerary", "Travel")],
)
async def test_a_part_that_is_late_is_named(running: Running, others: StandIn, method: str, part: str) -> None:
    """The briefing comes before its deadline, without the part that never ended."""
    setattr(others, method, never)
    async with running() as runtime:
        deadline = asyncio.get_running_loop().time() + 0.25
        briefing = await runtime.dispatcher.call("briefing.morning", {}, deadline=deadline)
    assert missing(briefing) == {part: "not ready in time"}


async def test_a_failure_nobody_foresaw_is_named_too(running: Running, others: StandIn) -> None:
    """Whatever another agent raises is its own part's loss."""
    others.triage = failing(ZeroDivisionError("division by zero"))
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert missing(briefing) == {"Mail": "it failed with ZeroDivisionError: division by zero"}


async def test_an_answer_of_another_kind_is_named(running: Running, others: StandIn) -> None:
    """An agent of another version may say things differently; that is no crash."""

    async def other_words() -> Any:
        return {"messages": []}

    others.triage = other_words
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert missing(briefing)["Mail"].startswith("its answer cannot be read: Object missing required field")


async def test_without_any_other_agent_there_is_still_a_briefing(tmp_path: Path) -> None:
    """It says that nothing could be found out, and why."""
    async with Runtime(load(environ={}, overrides={"state": str(tmp_path)}), agents=[Orchestrator()]) as runtime:
        briefing = await runtime.call("briefing.morning")
    assert briefing.headline == "Nothing could be found out; the reasons stand below."
    assert [each.part for each in briefing.missing] == ["Conflicts", "Mail", "Travel", "The calendar and documents"]
    assert all(each.reason.startswith("no agent offers") for each in briefing.missing)


async def test_documents_are_searched_with_what_meetings_are_about(running: Running, others: StandIn) -> None:
    """General words are no subject: a lunch meeting is searched for nowhere."""
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert [asked for asked in others.asked if asked[0] == "search"] == [
        ("search", "Greyfriars contract"),
        ("search", "Budget memo"),
    ]
    assert [item.meeting for item in briefing.sections[-1].items] == ["Greyfriars contract", "Budget memo"]


async def test_a_search_that_fails_leaves_the_others(running: Running, others: StandIn) -> None:
    """The documents of one meeting are shown, and that another's could not be searched for is said."""
    answer = others.search

    async def search(query: str) -> Any:
        if query == "Budget memo":
            raise ValueError("broken index")
        return await answer(query)

    others.search = search
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert [item.meeting for item in briefing.sections[-1].items] == ["Greyfriars contract"]
    assert missing(briefing) == {"Documents for 1 meeting": "it failed with ValueError: broken index"}


@pytest.mark.parametrize("entries", [[], ENTRIES])
async def test_every_folder_is_counted_once(running: Running, others: StandIn, entries: list[Any]) -> None:
    """Three parts read the calendars; and on a day without meetings the documents are read all the same."""
    others.entries = entries
    async with running() as runtime:
        briefing = await runtime.call("briefing.morning")
    assert (briefing.sources.read, briefing.sources.refused_count) == (6, 3)
    assert [refused.path for refused in briefing.sources.refused] == [
        "calendars/broken",
        "mail/broken",
        "documents/broken",
    ]
    assert briefing.text.endswith(
        "Read 6 files, refused 3:\n  calendars/broken: it is empty\n  mail/broken: it is empty\n"
        "  documents/broken: it is empty"
    )


async def test_the_day_asked_for_is_passed_on(running: Running, others: StandIn) -> None:
    """Today when none is given; a day that is none is the caller's mistake."""
    async with running() as runtime:
        await runtime.call("briefing.morning")
        briefing = await runtime.call("briefing.morning", day="2026-05-20")
        with pytest.raises(InputError, match="day"):
            await runtime.call("briefing.morning", day="the 20th")
    assert [asked[1] for asked in others.asked if asked[0] == "agenda"] == [date(2026, 5, 12), date(2026, 5, 20)]
    assert briefing.text.startswith("Wednesday 20 May 2026\n")


async def test_a_cancelled_briefing_leaves_nothing_running(running: Running, others: StandIn) -> None:
    """Whoever asked has gone: the calls to the others end with it."""
    others.agenda = others.triage = never
    async with running() as runtime:
        before = asyncio.all_tasks()
        briefing = asyncio.ensure_future(runtime.call("briefing.morning"))
        await asyncio.sleep(0)
        briefing.cancel()
        await asyncio.wait([briefing])
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before == set()
        assert briefing.cancelled()


NOON = datetime.fromisoformat("2026-05-12T12:00+02:00")


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Greyfriars contract: open clauses", "Greyfriars contract clauses"),
        ("Interview: Ayşe Demir, Head of Field Service", "Ayşe Demir Head Field Service"),
        ("Q2 budget memo: decisions", "Q2 budget memo"),
        ("Weekly sync with the team", ""),
        ("Besprechung für Müller", "Müller"),
        ("1:1", ""),
        ("(no title)", ""),
        ("🎉", ""),
    ],
)
def test_what_a_title_is_about(title: str, words: str) -> None:
    """The words that tell one meeting from another, in their order."""
    assert papers.query(Entry(title=title, start=NOON, end=NOON)) == words


def test_the_likeliest_meetings_are_searched_for_in_the_order_of_the_day() -> None:
    """Eight at most: those with other people first, then those whose title says more."""
    alone = [Entry(title=f"Dentist {n}00", start=NOON, end=NOON) for n in range(1, 9)]
    together = Entry(title="Budget", start=NOON, end=NOON, others=2)
    asked = papers.questions([*alone, together])
    assert asked == [*((f"Dentist {n}00", f"Dentist {n}00") for n in range(1, 8)), ("Budget", "Budget")]


def test_two_meetings_of_one_name_are_searched_for_once() -> None:
    """What is shown for the first would only be said again."""
    assert papers.questions([Entry(title="Budget", start=NOON, end=NOON)] * 2) == [("Budget", "Budget")]


@pytest.mark.parametrize("unattended", [{"all_day": True}, {"response": "declined"}, {"status": "cancelled"}])
def test_nothing_is_searched_for_a_meeting_nobody_attends(unattended: dict[str, Any]) -> None:
    """All-day entries, declined and cancelled ones need no papers."""
    assert papers.query(Entry(title="Budget memo", start=NOON, end=NOON, **unattended)) == ""


@pytest.mark.parametrize(
    ("words", "hit", "all_words", "shown"),
    [
        ("Greyfriars contract", ("Contract", "documents/greyfriars.docx", ""), False, True),
        ("Greyfriars clauses", ("Agreement", "documents/greyfriars.docx", ""), True, True),
        ("Greyfriars clauses", ("Agreement", "documents/greyfriars.docx", ""), False, True),
        ("Final Greyfriars talk", ("Agreement", "documents/greyfriars.docx", ""), False, False),
        ("Final Greyfriars talk", ("Agreement", "documents/greyfriars.docx", "the **final** text"), False, True),
        ("School run Lena", ("Agreement", "documents/a.docx", "**runs** for three years"), False, False),
        ("Test rig heat", ("Plan", "documents/plan.md", "the **test** **rig**, first **heat**"), True, True),
        ("Samira", ("Plan", "documents/plan.md", "**Samira** knows"), True, False),
        ("Policies", ("Travel policy", "documents/travel.txt", ""), True, False),
        ("Clauses", ("Clause", "documents/c.txt", ""), True, True),
    ],
)
def test_which_finds_are_about_a_meeting(words: str, hit: tuple[str, str, str], all_words: bool, shown: bool) -> None:
    """A word in the name and another one anywhere, all words, or three together in a passage."""
    title, path, snippet = hit
    found = Search((Hit(path, title, "line 1", snippet, 1.0),), all_words, SourceReport())
    assert bool(papers.relevant("Meeting", words, found)) == shown


def test_a_document_named_like_the_meeting_stands_alone() -> None:
    """Others that merely mention it, or match far less well, are left out."""
    hits = (
        Hit("documents/shift-model.html", "Shift model", "", "", 1.0),
        Hit("documents/guide.md", "Guide", "", "**shift** **model** of the **council**", 0.9),
        Hit("documents/old-shift-model.md", "Shift model of 2019", "", "", 0.1),
    )
    found = papers.relevant("Shift model", "council shift model", Search(hits, True, SourceReport()))
    assert [paper.path for paper in found] == ["documents/shift-model.html"]
