"""One event changed on the server: exactly what depends on it is computed anew, and the next briefing is right."""

from __future__ import annotations

import pytest

from pea import Runtime
from pea.agents.calendar import Calendar
from pea.agents.communication import Communication
from pea.agents.documents import Documents
from pea.agents.orchestrator import Orchestrator
from pea.agents.travel import Travel
from tests.connect.conftest import Office, event, mail
from tests.connect.servers import Dav, Dovecot

pytestmark = pytest.mark.service
REVIEW = event("review", "Quarterly review", "20260512T100000Z", "20260512T110000Z")


def kept(runtime: Runtime) -> set[str]:
    """The keys in the memory tiers."""
    stack = runtime.dispatcher.caches.stack
    assert stack.l2 is not None
    return {*stack.l2, *(key for l1 in stack.l1s for key in l1)}


def of(keys: set[str], *agents: str) -> set[str]:
    return {key for key in keys if key.partition(":")[0] in agents}


async def test_a_change_of_one_event(office: Office, dav: Dav, dovecot: Dovecot) -> None:
    """After the sync the entries of calendar and travel are gone, all others are there, and the new hour is told."""
    path = dav.make("work", "Work")
    dav.send("PUT", f"{path}review.ics", REVIEW)
    dovecot.deliver(mail(1))
    (office.workspace / "documents").mkdir()
    (office.workspace / "documents" / "review.md").write_text("# Quarterly review\n\nThe notice period is 30 days.\n")
    settings = office.on(dav).on(dovecot).settings()
    agents = [Calendar(), Communication(), Travel(), Documents(), Orchestrator()]
    async with Runtime(settings, agents=agents) as runtime:
        for capability in ("calendar.sync", "communication.sync"):
            report = await runtime.call(capability)
            assert report.accounts[0].problem is None, report
        first = await runtime.call("briefing.morning")
        await runtime.call("documents.search", query="notice")
        assert "12:00" in first.text
        assert "Quarterly review" in first.text
        warm = kept(runtime)
        assert of(warm, "calendar")
        assert of(warm, "travel")
        assert of(warm, "communication")
        assert of(warm, "documents")

        nothing = await runtime.call("calendar.sync")
        assert (nothing.events, kept(runtime)) == ((), warm)

        dav.send("PUT", f"{path}review.ics", REVIEW.replace("T10", "T13").replace("T11", "T14"))
        report = await runtime.call("calendar.sync")
        assert report.events == ("calendar-update",)
        assert warm - kept(runtime) == of(warm, "calendar", "travel")
        assert kept(runtime) <= warm
        second = await runtime.call("briefing.morning")
        assert "15:00" in second.text
        assert "12:00" not in second.text

        warm = kept(runtime)
        dovecot.deliver(mail(2, subject="Budget"))
        report = await runtime.call("communication.sync")
        assert report.events == ("mail-received",)
        assert warm - kept(runtime) == of(warm, "communication")
        assert "Budget" in (await runtime.call("briefing.morning")).text


async def test_offline_it_says_so(office: Office, dav: Dav, dovecot: Dovecot) -> None:
    """Agenda, triage and briefing serve the last good copy, and say from when it is until the server answers again."""
    dav.send("PUT", f"{dav.make('work', 'Work')}review.ics", REVIEW)
    dovecot.deliver(mail(1))
    settings = office.on(dav, retries=0).on(dovecot, retries=0).settings()
    async with Runtime(settings, agents=[Calendar(), Communication(), Travel(), Orchestrator()]) as runtime:
        for capability in ("calendar.sync", "communication.sync"):
            await runtime.call(capability)
        assert "what is shown is from" not in (await runtime.call("briefing.morning")).text
        dav.program.stop()
        report = await runtime.call("calendar.sync")
        assert report.accounts[0].problem == "no connection: Connection refused"
        for capability in ("calendar.agenda", "briefing.morning"):
            text = (await runtime.call(capability)).text
            assert "Quarterly review" in text
            assert "work: no connection: Connection refused; what is shown is from" in text.replace("  ", " "), text
        dav.program.start()
        await runtime.call("calendar.sync")
        assert "what is shown is from" not in (await runtime.call("briefing.morning")).text
