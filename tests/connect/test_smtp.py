"""One connection takes several mails, an idle one is left, and a dead one is replaced without a second mail."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pea.connect import Refused, Uncertain, smtp
from pea.connect.outbox import Handing, Outbox
from pea.connect.smtp import Smtp
from pea.errors import JournalUnavailable
from tests.connect.conftest import Office, mail
from tests.connect.cut import Cut
from tests.connect.servers import Mailman

pytestmark = pytest.mark.service
Send = Callable[[int], Awaitable[bool]]


@asynccontextmanager
async def post(office: Office, port: int, tmp_path: Path, idle_s: float = 60.0) -> AsyncIterator[tuple[Smtp, Send]]:
    """The account's connections, and a way to send mails by their number."""
    office.accounts["out"] = {"kind": "smtp", "host": "127.0.0.1", "port": port, "tls": "none", "retries": 0}
    own = Smtp("out", office.settings().connect.accounts["out"], idle_s=idle_s)

    async def send(number: int) -> bool:
        return await own.send(
            Outbox(tmp_path / "outbox.db"), key=f"key-{number}", message_id=f"<{number}@example.com>",
            sender="nora@example.org", recipients=("bo@example.com",), data=mail(number),
        )  # fmt: skip

    try:
        yield own, send
    finally:
        await own.aclose()


def received(mailman: Mailman) -> list[str]:
    return sorted(email.message_from_bytes(raw)["Message-ID"] for raw in mailman.mails())


def numbered(*numbers: int) -> list[str]:
    return [f"<{number}@example.com>" for number in numbers]


async def closed(mailman: Mailman, count: int) -> None:
    """Return once the server has seen so many connections end."""
    async with asyncio.timeout(30):
        while mailman.connections().count("closed") < count:
            await asyncio.sleep(0.01)  # it is another process, which has no other way to say so


async def test_one_connection_takes_several(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """Mails in a row go over one connection; at the end the server is left."""
    async with post(office, mailman.port, tmp_path) as (own, send):
        assert [await send(number) for number in (1, 2, 3)] == [False] * 3
        assert await send(3)  # it has been sent: nobody is asked
        assert own.opened == 1
        assert mailman.connections() == ["opened"]
    await closed(mailman, 1)
    assert received(mailman) == numbered(1, 2, 3)


async def test_many_at_once(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """Mails at one time share a few connections, not one each."""
    async with post(office, mailman.port, tmp_path) as (own, send):
        await asyncio.gather(*map(send, range(20)))
        assert own.opened <= smtp.CONNECTIONS
    assert received(mailman) == sorted(numbered(*range(20)))


async def test_an_idle_connection_is_left(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """After a while without a mail the server is told goodbye; the next mail opens another."""
    async with post(office, mailman.port, tmp_path, idle_s=0.0) as (own, send):
        await send(1)
        await closed(mailman, 1)
        await send(2)
        assert own.opened == 2
    assert received(mailman) == numbered(1, 2)


async def test_a_dead_connection_is_replaced(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """The server was started anew in between: the next mail goes over a new connection, without a retry."""
    async with post(office, mailman.port, tmp_path) as (own, send):
        await send(1)
        await asyncio.to_thread(mailman.program.stop)
        await asyncio.to_thread(mailman.program.start)
        await send(2)
        assert own.opened == 2
    assert received(mailman) == numbered(1, 2)


async def test_a_silent_connection_is_replaced(
    office: Office, mailman: Mailman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network has forgotten the connection and nobody says so: that is found out before the mail is given to it."""
    monkeypatch.setattr(smtp, "STILL_THERE_S", 0.2)
    async with Cut(mailman.port) as cut, post(office, cut.port, tmp_path) as (own, send):
        await send(1)
        cut.mute = b"RSET\r\n"
        await send(2)
        assert cut.muted.is_set()
        assert own.opened == 2
    assert received(mailman) == numbered(1, 2)


async def test_a_server_that_takes_one_at_a_time(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """A 421 to the second mail of a connection (RFC 5321, section 3.8) costs a new connection, not the mail."""
    (mailman.folder / "once").touch()
    async with post(office, mailman.port, tmp_path) as (own, send):
        for number in (1, 2, 3):
            await send(number)
        assert own.opened == 3
    assert received(mailman) == numbered(1, 2, 3)


async def test_refused_on_a_kept_connection(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """A no is a no on any connection; what was asked after it is sent."""
    async with post(office, mailman.port, tmp_path) as (_, send):
        await send(1)
        (mailman.folder / "refuse").touch()
        with pytest.raises(Refused, match="nothing was sent"):
            await send(2)
        (mailman.folder / "refuse").unlink()
        await send(3)
        assert not await send(2)
    assert received(mailman) == numbered(1, 2, 3)


async def test_it_breaks_off_while_a_kept_connection_takes_it(office: Office, mailman: Mailman, tmp_path: Path) -> None:
    """Once the mail has been given to it, a kept connection is like any other: never a second time by another."""
    async with post(office, mailman.port, tmp_path) as (own, send):
        await send(1)
        (mailman.folder / "hold").touch()
        task = asyncio.create_task(send(2))
        async with asyncio.timeout(30):
            while len(mailman.mails()) < 2:
                await asyncio.sleep(0.01)  # it is another process, which has no other way to say so
        await asyncio.to_thread(mailman.program.stop)
        with pytest.raises(Uncertain):
            await task
        (mailman.folder / "hold").unlink()
        await asyncio.to_thread(mailman.program.start)
        with pytest.raises(Uncertain):
            await send(2)
        assert own.opened == 1
    assert received(mailman) == numbered(1, 2)


async def test_sent_and_not_written_down_is_uncertain(
    office: Office, mailman: Mailman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has it, and the disk is full: nobody is told that nothing was sent, and it is not sent again."""
    change = Outbox.change

    def full(outbox: Outbox, key: str, old: Handing, new: Handing, note: str = "") -> bool:
        if new is Handing.SENT:
            raise JournalUnavailable("the outbox cannot be written")
        return change(outbox, key, old, new, note)

    monkeypatch.setattr(Outbox, "change", full)
    async with post(office, mailman.port, tmp_path) as (_, send):
        for _ in range(2):
            with pytest.raises(Uncertain, match="it may have been sent"):
                await send(1)
    assert received(mailman) == numbered(1)
