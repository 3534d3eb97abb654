"""Nothing is written or sent before it is approved, nor twice, whenever the process is killed; against real servers."""

from __future__ import annotations

import asyncio
import email
import os
import random
import signal
from collections import Counter

import pytest

from tests.connect.conftest import Office, event
from tests.connect.cut import Cut
from tests.connect.servers import PASSWORD, Dav, Dovecot, Mailman
from tests.connect.serving import ENDED, Life

pytestmark = pytest.mark.service
KILLS = int(os.environ.get("PEA_CONNECT_KILLS", "3"))
LETTER = {"to": ["bo@example.com"], "bcc": ["eva@example.com"], "subject": "Grüße", "body": "Yes, ten is fine.\n.\nN."}
REVIEW = event("review", "Review", "20260512T100000Z", "20260512T110000Z", "X-OTHERS:kept")


async def some_mail(mailman: Mailman) -> None:
    """Return once the server has a mail."""
    async with asyncio.timeout(30):
        while not mailman.mails():
            await asyncio.sleep(0.01)  # it is another process, which has no other way to say so


async def test_send(office: Office, mailman: Mailman, dovecot: Dovecot) -> None:
    """A mail goes out once it is approved, as it was shown; a copy is filed once; the secret is told nowhere."""
    async with Life(office.on(mailman).on(dovecot)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.until(task, "waiting_for_approval")
        assert mailman.mails() == []
        asked = await life.approve(task)
        done = await life.until(task, *ENDED)
        assert done["status"] == "succeeded", done
        await life.stop()
    async with Life(office) as life:  # spans are written in batches: now they are
        trace = await life.send("GET", f"/api/traces/{done['trace_id']}")
    (raw,) = mailman.mails()
    sent = email.message_from_bytes(raw)
    assert asked["details"]["mail"]["body"] == LETTER["body"]
    assert "Bcc" not in sent
    assert sent["Message-ID"] == f"<{asked['key']}.pea@example.org>" == done["result"]["message_id"]
    assert sent.get_payload(decode=True).decode().replace("\r\n", "\n").strip() == LETTER["body"]
    (filed,) = dovecot.mails("Gesendet")
    assert sent["Message-ID"].encode() in filed
    names = {span["operationName"] for span in trace["data"][0]["spans"]}
    assert {"connector.call RCPT", "connector.call DATA", "connector.call APPEND"} <= names
    told = str(trace) + str(done) + life.log.read_text()
    assert PASSWORD not in told
    assert not [p for p in office.state.rglob("*") if p.is_file() and PASSWORD.encode() in p.read_bytes()]


async def test_reject(office: Office, mailman: Mailman) -> None:
    """What is rejected is not sent, and says so."""
    async with Life(office.on(mailman)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.until(task, "waiting_for_approval")
        await life.send("POST", f"/v1/tasks/{task}/reject", {"reason": "too short"})
        done = await life.until(task, *ENDED)
    assert (done["error"]["code"], done["error"]["message"]) == ("rejected", "too short")
    assert mailman.mails() == []


async def test_killed_while_the_server_takes_it(office: Office, mailman: Mailman) -> None:
    """The server has the mail and has not said so when PEA dies: it is not sent again, and it is said why."""
    (mailman.folder / "hold").touch()
    async with Life(office.on(mailman)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.approve(task)
        await some_mail(mailman)
        await life.kill()
    (mailman.folder / "hold").unlink()
    async with Life(office) as life:
        done = await life.until(task, *ENDED)
    assert (done["status"], done["error"]["code"]) == ("failed", "uncertain")
    assert "may have been sent" in done["error"]["message"]
    assert len(mailman.mails()) == 1


async def test_killed_where_the_server_files_by_itself(office: Office, mailman: Mailman, dovecot: Dovecot) -> None:
    """As before, but the mail is found among the sent ones: then it is known that it was sent."""
    (mailman.folder / "hold").touch()
    async with Life(office.on(mailman).on(dovecot)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.approve(task)
        await some_mail(mailman)
        await life.kill()
    (mailman.folder / "hold").unlink()
    dovecot.deliver(mailman.mails()[0], "Gesendet")
    async with Life(office) as life:
        done = await life.until(task, *ENDED)
    assert done["status"] == "succeeded", done["error"]
    assert done["result"]["again"] is True
    assert (len(mailman.mails()), len(dovecot.mails("Gesendet"))) == (1, 1)


async def test_killed_before_the_server_answers(office: Office, mailman: Mailman) -> None:
    """PEA dies before anything was handed over: the approval holds, and it is sent once."""
    assert mailman.program.process is not None
    async with Life(office.on(mailman)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.until(task, "waiting_for_approval")
        mailman.program.process.send_signal(signal.SIGSTOP)
        await life.approve(task)
        await life.until(task, "running")
        await life.kill()
    mailman.program.process.send_signal(signal.SIGCONT)
    async with Life(office) as life:
        done = await life.until(task, *ENDED)
    assert done["status"] == "succeeded", done
    assert len(mailman.mails()) == 1


async def test_killed_before_it_was_filed(office: Office, mailman: Mailman, dovecot: Dovecot) -> None:
    """PEA dies between sending and filing: it is filed, and not sent again."""
    assert dovecot.program.process is not None
    office.on(mailman).on(dovecot)
    async with Cut(dovecot.port) as cut:
        office.accounts["post"]["port"] = cut.port
        cut.mute = b" LOGIN "
        async with Life(office) as life:
            task = (await life.ask("communication.send", **LETTER))["id"]
            await life.approve(task)
            await some_mail(mailman)
            await cut.muted.wait()
            await life.kill()
        cut.mute = b""
        async with Life(office) as life:
            done = await life.until(task, *ENDED)
    assert (done["status"], done["result"]["again"]) == ("succeeded", True), done
    assert (len(mailman.mails()), len(dovecot.mails("Gesendet"))) == (1, 1)


@pytest.mark.parametrize(("sign", "code"), [("refuse", "server_refused"), ("busy", "server_refused")])
async def test_a_server_that_says_no(office: Office, mailman: Mailman, sign: str, code: str) -> None:
    """A refused recipient or mail is told with the server's words; nothing was sent, and asking again may send it."""
    (mailman.folder / sign).touch()
    async with Life(office.on(mailman)) as life:
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.approve(task)
        done = await life.until(task, *ENDED)
        assert (done["error"]["code"], "nothing was sent" in done["error"]["message"]) == (code, True)
        (mailman.folder / sign).unlink()
        task = (await life.ask("communication.send", **LETTER))["id"]
        await life.approve(task)
        assert (await life.until(task, *ENDED))["status"] == "succeeded"
    assert len(mailman.mails()) == 1


async def test_killed_at_any_moment(office: Office, mailman: Mailman) -> None:
    """However often and whenever PEA is killed, each approved mail is sent once, or at most once and said so."""
    office.on(mailman)
    tasks: list[str] = []
    chance = random.Random(KILLS)
    for _ in range(KILLS):
        async with Life(office) as life:
            for number in range(4):
                task = (await life.ask("communication.send", **LETTER | {"subject": f"{len(tasks)}-{number}"}))["id"]
                tasks.append(task)
            for task in tasks[-4:]:
                await life.approve(task)
            await asyncio.sleep(chance.uniform(0.0, 0.15))  # the moment is what is tried
    async with Life(office) as life:
        ended = [await life.until(task, *ENDED) for task in tasks]
    times = Counter(email.message_from_bytes(raw)["Message-ID"] for raw in mailman.mails())
    for done in ended:
        message_id = f"<{done['approvals'][0]['key']}.pea@example.org>"
        if done["status"] == "succeeded":
            assert times.pop(message_id) == 1
        else:
            assert done["error"]["code"] == "uncertain", done
            assert times.pop(message_id, 0) <= 1
    assert not times


async def test_move(office: Office, dav: Dav) -> None:
    """An event is moved once that is approved; all else of it stays as it was; the workspace follows."""
    path = dav.make("work", "Work")
    dav.send("PUT", f"{path}review.ics", REVIEW)
    async with Life(office.on(dav)) as life:
        await life.until((await life.ask("calendar.sync"))["id"], *ENDED)
        task = (await life.ask("calendar.move", event="Review", to="2026-05-13T15:00"))["id"]
        await life.until(task, "waiting_for_approval")
        assert "DTSTART:20260512T100000Z" in dav.send("GET", f"{path}review.ics")[2]
        asked = await life.approve(task)
        done = await life.until(task, *ENDED)
        assert done["status"] == "succeeded", done
    assert asked["summary"] == "Move 'Review' from Tue 2026-05-12 12:00 to Wed 2026-05-13 15:00?"
    text = dav.send("GET", f"{path}review.ics")[2]
    for line in ("DTSTART:20260513T130000Z", "DTEND:20260513T140000Z", "SEQUENCE:1", "X-OTHERS:kept", "UID:review"):
        assert line in text
    assert any(b"20260513T130000Z" in data for data in office.files("calendars/work").values())


async def test_changed_after_it_was_asked(office: Office, dav: Dav) -> None:
    """What somebody else changed in the meantime is not written over."""
    path = dav.make("work", "Work")
    dav.send("PUT", f"{path}review.ics", REVIEW)
    async with Life(office.on(dav)) as life:
        await life.until((await life.ask("calendar.sync"))["id"], *ENDED)
        task = (await life.ask("calendar.move", event="review", to="2026-05-13T15:00"))["id"]
        await life.until(task, "waiting_for_approval")
        theirs = REVIEW.replace("SUMMARY:Review", "SUMMARY:Review with Bo")
        dav.send("PUT", f"{path}review.ics", theirs)
        await life.approve(task)
        done = await life.until(task, *ENDED)
    assert (done["status"], done["error"]["code"]) == ("failed", "changed_meanwhile")
    assert "DTSTART:20260512T100000Z" in dav.send("GET", f"{path}review.ics")[2]


@pytest.mark.parametrize("capability", ["calendar.move", "calendar.create"])
async def test_killed_while_the_calendar_is_written(office: Office, dav: Dav, capability: str) -> None:
    """The server has written it and PEA dies before it hears so: the next run finds it done and writes nothing."""
    path = dav.make("work", "Work")
    dav.send("PUT", f"{path}review.ics", REVIEW)
    given = {"calendar.move": {"event": "review", "to": "2026-05-13T15:00"}}.get(
        capability, {"title": "Lunch", "start": "2026-05-13T12:00"}
    )

    def done() -> bool:
        if capability == "calendar.move":
            return "SEQUENCE:1" in dav.send("GET", f"{path}review.ics")[2]
        return len(dav.events(path)) == 2

    async with Cut(dav.program.port) as cut:
        office.on(dav, url=dav.url.replace(str(dav.program.port), str(cut.port)))
        async with Life(office) as life:
            await life.until((await life.ask("calendar.sync"))["id"], *ENDED)
            task = (await life.ask(capability, **given))["id"]
            await life.until(task, "waiting_for_approval")
            cut.mute = b"PUT "
            await life.approve(task)
            async with asyncio.timeout(30):
                await cut.muted.wait()
                while not done():
                    await asyncio.sleep(0.01)  # the server, another process, has been sent it and has yet to do it
            before = dav.events(path)
            await life.kill()
        cut.mute = b""
        async with Life(office) as life:
            ended = await life.until(task, *ENDED)
    assert (ended["status"], ended["result"]["again"]) == ("succeeded", True), ended
    assert dav.events(path) == before


async def test_drafts(office: Office, dovecot: Dovecot) -> None:
    """A draft is saved once among the drafts, marked as one, and nothing else happens."""
    async with Life(office.on(dovecot)) as life:
        given = {name: LETTER[name] for name in ("to", "subject", "body")}
        task = (await life.ask("communication.save_draft", **given))["id"]
        await life.approve(task)
        done = await life.until(task, *ENDED)
        assert done["status"] == "succeeded", done
    (draft,) = dovecot.mails("Drafts")
    assert b"Yes, ten is fine." in draft
    box = dovecot.box("Drafts")
    assert b"\\Draft" in box.fetch("1", "(FLAGS)")[1][0]
    box.logout()
