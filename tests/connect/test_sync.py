"""The workspace follows the servers: what is new, changed and gone, offline and after damage; against real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pea.connect import Connectors, Synced
from tests.connect.conftest import Office, event, mail
from tests.connect.servers import Dav, Dovecot, Radicale

pytestmark = pytest.mark.service
REVIEW = event("review", "Review", "20260512T100000Z", "20260512T110000Z")


async def sync(office: Office, *kinds: str) -> list[Synced]:
    """One sync of all accounts by a new process, so to speak."""
    connectors = Connectors(office.settings(), *(kinds or ("caldav", "imap")))
    try:
        return list(await connectors.sync())
    finally:
        await connectors.aclose()


def counts(synced: Synced) -> tuple[int, int, int, int]:
    assert synced.problem is None, synced
    return synced.items, synced.added, synced.changed, synced.removed


async def test_calendars_follow_the_server(office: Office, dav: Dav) -> None:
    """Events of every calendar become files, with its name; changed ones are fetched again, deletions follow."""
    work, home = dav.make("work", "Work; & more"), dav.make("home", "../Zuhause ☕")
    dav.send("PUT", f"{work}review.ics", REVIEW)
    dav.send("PUT", f"{home}a%20b%25.ics", event("b", "Dinner", "20260512T180000Z", "20260512T190000Z"))
    office.on(dav)
    (first,) = await sync(office)
    assert counts(first) == (2, 2, 0, 0)
    assert first.events == ("meeting-created",)
    files = office.files("calendars/work")
    assert len(files) == 2
    assert any(b"X-WR-CALNAME:Work\\; & more" in data for data in files.values())
    assert {name.partition("/")[0][:8] for name in files} == {"Work-mor", "Zuhause-"}
    (same,) = await sync(office)
    assert (counts(same), same.events) == ((2, 0, 0, 0), ())
    dav.send("PUT", f"{work}review.ics", REVIEW.replace("T10", "T13").replace("T11", "T14"))
    (changed,) = await sync(office)
    assert (counts(changed), changed.events) == ((2, 0, 1, 0), ("calendar-update",))
    assert any(b"T130000Z" in data for data in office.files("calendars/work").values())
    dav.send("DELETE", f"{work}review.ics")
    dav.send("DELETE", home)
    (gone,) = await sync(office)
    assert (counts(gone), gone.events) == ((0, 0, 0, 2), ("meeting-cancelled",))
    assert office.files("calendars/work") == {}


async def test_what_was_damaged_is_fetched_again(office: Office, dav: Dav, dovecot: Dovecot) -> None:
    """A file that was deleted, cut off or left over is as the server has it after the next sync; others' files stay."""
    dav.send("PUT", f"{dav.make('work', 'Work')}review.ics", REVIEW)
    dovecot.deliver(mail(1))
    await sync(office.on(dav).on(dovecot))
    before = office.files(".")
    event_file, mail_file = (next(name for name in before if name.startswith(kind)) for kind in ("cal", "mail"))
    (office.workspace / event_file).write_bytes(b"")
    (office.workspace / mail_file).unlink()
    stray = office.workspace / event_file.replace(Path(event_file).stem, "0" * 32)
    stray.write_text("left by a crash")
    own = office.workspace / "calendars" / "work" / "mine.ics"
    own.write_text("the user's own")
    await sync(office)  # strays are looked for whenever something changed or not
    assert office.files(".") == before | {"calendars/work/mine.ics": b"the user's own"}


async def test_mail_follows_the_server(office: Office, dovecot: Dovecot) -> None:
    """Mails become Maildir files with their flags; only what is new is fetched; flags and deletions follow."""
    dovecot.deliver(mail(1))
    dovecot.deliver(mail(2), flags="\\Seen")
    dovecot.deliver(mail(3), "Gesendet", "\\Seen")
    office.on(dovecot)
    (first,) = await sync(office)
    assert (counts(first), first.events) == ((3, 3, 0, 0), ("mail-received",))
    files = office.files("mail/post")
    assert sorted(name.rpartition(",")[2] for name in files) == ["", "S", "S"]
    assert sorted(name.partition("/")[0] for name in files) == ["INBOX", "INBOX", "Sent"]  # by its mark, not its name
    assert sorted(data[-40:] for data in files.values()) == sorted(m[-40:] for m in (mail(1), mail(2), mail(3)))
    (same,) = await sync(office)
    assert (counts(same), same.events) == ((3, 0, 0, 0), ())
    box = dovecot.box()
    box.store("1", "+FLAGS", "(\\Seen \\Answered)")
    box.store("2", "+FLAGS", "\\Deleted")
    box.expunge()
    dovecot.deliver(mail(4))
    (after,) = await sync(office)
    assert (counts(after), after.events) == ((3, 1, 1, 1), ("mail-received", "mail-update"))
    assert sorted(name.rpartition(",")[2] for name in office.files("mail/post/INBOX")) == ["", "RS"]
    box.logout()


async def test_a_folder_made_anew(office: Office, dovecot: Dovecot) -> None:
    """When UIDVALIDITY changes, nothing that was known by UID counts (RFC 9051, section 2.3.1.1)."""
    box = dovecot.box()
    box.create("Project")
    dovecot.deliver(mail(1), "Project")
    office.on(dovecot, folders=["Project"])
    await sync(office)
    box.delete("Project")
    box.create("Project")
    dovecot.deliver(mail(2, subject="Another"), "Project")
    (again,) = await sync(office)
    assert counts(again) == (1, 1, 0, 1)
    assert [b"Another" in data for data in office.files("mail/post").values()] == [True]
    box.logout()


async def test_what_is_too_large_is_named(office: Office, dav: Dav, dovecot: Dovecot) -> None:
    """A mail or event above the limit is left out, said so, and not asked for at every sync."""
    long = event("long", "Long", "20260512T100000Z", "20260512T110000Z", "DESCRIPTION:" + "x" * 9_000)
    dav.send("PUT", f"{dav.make('work', 'Work')}long.ics", long)
    dovecot.deliver(mail(1, body="x" * 9_000))
    dovecot.deliver(mail(2))
    first = await sync(office.on(dav, max_item="4KiB").on(dovecot, max_item="4KiB"))
    assert [len(one.notes) for one in first] == [1, 1]
    assert sum(len(data) for data in office.files(".").values()) < 2_000
    assert [one.changes for one in await sync(office)] == [0, 0]


async def test_offline_the_last_good_copy_stays(office: Office, dav: Dav, dovecot: Dovecot) -> None:
    """A server that does not answer costs nothing that was fetched; it is said why, and from when the copy is."""
    dav.send("PUT", f"{dav.make('work', 'Work')}review.ics", REVIEW)
    dovecot.deliver(mail(1))
    good = await sync(office.on(dav, retries=1).on(dovecot, retries=0))
    before = office.files(".")
    dav.program.stop()
    dovecot.program.stop()
    for one, was in zip(await sync(office), good, strict=True):
        assert "refused" in (one.problem or "")
        assert one.last_good is not None
        assert was.last_good is not None
        assert one.last_good == was.last_good
        assert "what is shown is from" in one.text(office.settings().zone)
    assert office.files(".") == before
    dav.program.start()
    dovecot.program.start()
    assert [counts(one) for one in await sync(office)] == [(1, 0, 0, 0), (1, 0, 0, 0)]


async def test_wrong_password(
    office: Office, radicale: Radicale, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as such, with what to do, and not tried again and again."""
    office.on(radicale).on(dovecot)
    monkeypatch.setenv("NORA_SECRET", "wrong")
    for one in await sync(office):
        assert one.problem == "the server does not accept the credentials"
        assert one.fix == f"check user and password of connect.accounts.{one.account}"
