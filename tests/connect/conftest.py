"""Real servers for a test run, and a workspace that knows them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pea.config import Settings, load
from tests.connect.servers import PASSWORD, USER, Dav, Dovecot, Mailman, Radicale, Xandikos


def needs_dovecot() -> None:
    """Skip where the Debian package is absent."""
    if shutil.which("dovecot") is None:
        pytest.skip("dovecot is not installed")


@pytest.fixture
def radicale(tmp_path: Path) -> Iterator[Radicale]:
    """A CalDAV server without calendars."""
    server = Radicale(tmp_path / "radicale")
    yield server
    server.close()


@pytest.fixture(params=[Radicale, Xandikos], ids=["radicale", "xandikos"])
def dav(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Dav]:
    """A CalDAV server without calendars; the test runs once on each of two programs."""
    server = request.param(tmp_path / "dav")
    yield server
    server.close()


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """An IMAP server with an empty inbox."""
    needs_dovecot()
    server = Dovecot()
    yield server
    server.close()


@pytest.fixture
def mailman(tmp_path: Path) -> Iterator[Mailman]:
    """An SMTP server that keeps what it is given."""
    server = Mailman(tmp_path / "post")
    yield server
    server.close()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A workspace without files."""
    monkeypatch.setenv("NORA_SECRET", PASSWORD)
    return Office(tmp_path)


class Office:
    """A workspace and a state folder, with accounts on the servers of the test."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.state = folder / "office", folder / "state"
        self.workspace.mkdir()
        self.accounts: dict[str, dict[str, Any]] = {}

    def settings(self, **more: Any) -> Settings:
        """The settings with the accounts so far; ``more`` as ``user__timezone``."""
        own = {
            "workspace": str(self.workspace),
            "state": str(self.state),
            "today": "2026-05-12T07:30",
            "user.timezone": "Europe/Berlin",
            "user.emails": ["nora@example.org"],
            "connect.every": "0s",
            "connect.accounts": self.accounts,
        }
        return load(environ={}, overrides=own | {name.replace("__", "."): value for name, value in more.items()})

    def on(self, server: Dav | Dovecot | Mailman, **more: Any) -> Office:
        """With an account on a server."""
        secret = {"user": USER, "password": "env:NORA_SECRET"}
        match server:
            case Dav():
                self.accounts["work"] = {"kind": "caldav", "url": server.url, **secret, **more}
            case Dovecot():
                own = {"kind": "imap", "host": "127.0.0.1", "port": server.port, "tls": "none"}
                self.accounts["post"] = {**own, **secret, **more}
            case Mailman():
                own = {"kind": "smtp", "host": "127.0.0.1", "port": server.port, "tls": "none"}
                self.accounts["out"] = {**own, **more}
        return self

    def files(self, under: str) -> dict[str, bytes]:
        """The files below a folder of the workspace."""
        root = self.workspace / under
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def event(uid: str, title: str, start: str, end: str, *more: str) -> str:
    """An iCalendar file with one event; times as ``20260512T100000Z``."""
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", "BEGIN:VEVENT", f"UID:{uid}")
    lines += ("DTSTAMP:20260501T000000Z", f"DTSTART{_value(start)}", f"DTEND{_value(end)}", f"SUMMARY:{title}", *more)
    return "\r\n".join((*lines, "END:VEVENT", "END:VCALENDAR", ""))


def mail(number: int, subject: str = "Question", body: str = "Can you tell me by Friday?") -> bytes:
    """A mail to Nora."""
    return (
        f"From: Bo <bo@example.com>\r\nTo: Nora <nora@example.org>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{number}@example.com>\r\nDate: Mon, 11 May 2026 09:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()


def _value(moment: str) -> str:
    return moment if moment.startswith(";") else f":{moment}"
