"""Accounts that cannot work or are not safe are refused with the setting and the fix; secrets stay where they are."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pea.config.connectors import Account
from pea.connect import accounts
from pea.connect.dav import same_server, xml
from pea.connect.failures import CredentialError, Refused
from pea.connect.mails import Letter, check, compose
from pea.errors import ConfigError, InputError, PeaError


def account(**given: Any) -> Account:
    return msgspec.convert({"kind": "caldav", "url": "https://dav.example.org/"} | given, Account, strict=False)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"url": "http://dav.example.org/"}, "url"),
        ({"url": "https://nora:secret@dav.example.org/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https://[::1"}, "url"),
        ({"password": "swordfish", "user": "nora"}, "password"),
        ({"user": "nora"}, "password"),
        ({"kind": "imap"}, "host"),
        ({"kind": "imap", "host": "imap.example.org", "tls": "none"}, "tls"),
        ({"kind": "smtp", "host": "192.0.2.1", "tls": "none"}, "tls"),
        ({"kind": "web", "save_as": "../x.ics"}, "save_as"),
        ({"kind": "web", "save_as": "/etc/x.ics"}, "save_as"),
        ({"kind": "web", "save_as": "calendars/../../x"}, "save_as"),
        ({"kind": "web", "save_as": "pea.yaml"}, "save_as"),
    ],
)
def test_refused(given: dict[str, Any], where: str) -> None:
    """Before anything is sent to anybody; the message never has what stood there as a password."""
    with pytest.raises(ConfigError) as refused:
        accounts.check("work", account(**given))
    assert refused.value.where == f"connect.accounts.work.{where}"
    assert "swordfish" not in str(refused.value)


def test_on_this_machine() -> None:
    """Servers on the same machine may be spoken to in the clear."""
    accounts.check("work", account(url="http://127.0.0.1:5232/"))
    accounts.check("post", account(kind="imap", host="localhost", tls="none"))


def test_a_password_others_may_read(tmp_path: Path) -> None:
    """A file is read only if nobody else can; and it must be one, with something in it."""
    secret = tmp_path / "secret"
    secret.write_text("canary\n")
    own = account(user="nora", password=f"file:{secret}")
    for mode in (0o644, 0o640, 0o604):
        secret.chmod(mode)
        with pytest.raises(CredentialError, match="others may read") as refused:
            accounts.password("work", own)
        assert refused.value.fix == f"chmod 600 {secret}"
    secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert accounts.password("work", own) == "canary"
    secret.write_text("\n")
    for broken in (f"file:{secret}", f"file:{tmp_path}", f"file:{tmp_path / 'none'}", "file:secret", "env:NO_SUCH"):
        with pytest.raises(CredentialError):
            accounts.password("work", account(user="nora", password=broken))


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("/cal/a%20b.ics", "https://dav.example.org/cal/a%20b.ics"),
        ("a b.ics", "https://dav.example.org/nora/a%20b.ics"),
        ("/cal/%61.ics", "https://dav.example.org/cal/a.ics"),
        ("https://dav.example.org/x", "https://dav.example.org/x"),
        ("https://evil.example/x", ""),
        ("//evil.example/x", ""),
        ("http://dav.example.org/x", ""),
        ("https://dav.example.org:8443/x", ""),
        ("https://[::1", ""),
    ],
)
def test_addresses_from_a_server(href: str, url: str) -> None:
    """One spelling for one resource; another server's address is never followed."""
    assert same_server("https://dav.example.org/nora/", href) == url


@pytest.mark.parametrize(
    "data", [b"", b"<a", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<!DOCTYPE a><a/>".encode("utf-16")]
)
def test_hostile_xml(data: bytes) -> None:
    """Entities cannot grow, because a document type is refused; broken XML is told as such."""
    with pytest.raises(Refused):
        xml(data, "work")


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"to": ()}, "to"),
        ({"to": ("nobody",)}, "to"),
        ({"to": ("a@b@c",)}, "to"),
        ({"to": ("bo@example.com\r\nBcc: eve@example.com",)}, "to"),
        ({"to": tuple(f"a{n}@example.com" for n in range(101))}, "to"),
        ({"cc": ("@example.com",)}, "cc"),
        ({"subject": "Hi\r\nBcc: eve@example.com"}, "subject"),
        ({"in_reply_to": "<1@x>\n"}, "in_reply_to"),
        ({"body": "x" * 40_001}, "body"),
    ],
)
def test_letters_that_are_none(given: dict[str, Any], where: str) -> None:
    """No header can be smuggled in; a recipient that cannot be one is named before anybody is asked."""
    fine = {"sender": "nora@example.org", "to": ("bo@example.com",), "subject": "Hi", "body": "Yes."}
    check(Letter(**fine))
    with pytest.raises(InputError) as refused:
        check(Letter(**fine | given))
    assert refused.value.where == where


def test_the_same_letter_is_the_same_bytes() -> None:
    """A repetition after a crash composes what was approved: Message-ID, date, text."""
    from datetime import UTC, datetime

    letter = Letter(sender="Nora <nora@example.org>", to=("Bö <bo@example.com>",), subject="Grüße", body="Ja\n.\nN.")
    made = {compose(letter, key="k", at=datetime(2026, 5, 12, tzinfo=UTC)) for _ in range(3)}
    assert len(made) == 1
    assert b"\r\nMessage-ID: <k.pea@example.org>\r\n" in made.pop()


def test_every_failure_has_a_code() -> None:
    """Each of the connectors' errors is told from the others by its code."""
    from pea.connect import failures

    kinds = [kind for kind in vars(failures).values() if isinstance(kind, type) and issubclass(kind, PeaError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
