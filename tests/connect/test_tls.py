"""Servers are spoken to in TLS, and one that cannot show who it is is refused with the fix; against real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pea.connect import Refused
from pea.connect.outbox import Outbox
from pea.connect.probe import probe
from pea.connect.smtp import Smtp
from tests.connect.certificates import Authority
from tests.connect.conftest import Office, event, mail, needs_dovecot
from tests.connect.servers import PASSWORD, USER, Dovecot, Mailman, Radicale
from tests.connect.test_sync import counts, sync

pytestmark = pytest.mark.service
LOGIN = {"user": USER, "password": "env:NORA_SECRET"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority that nobody trusts by default."""
    return Authority(tmp_path / "ca")


Serving = Callable[..., dict[str, Any]]


@pytest.fixture
def serving(tmp_path: Path, authority: Authority) -> Iterator[Serving]:
    """Starts the server of a way to speak TLS, with a certificate; the account on it, which trusts the authority."""
    with ExitStack() as stack:

        def start(way: str, **certificate: Any) -> dict[str, Any]:
            shown = authority.shown(*certificate.pop("names", ()), **certificate)
            own = {"host": "127.0.0.1", "ca": str(authority.ca), "retries": 0, **LOGIN}
            if way == "https":
                radicale = Radicale(tmp_path / "radicale", shown)
                stack.callback(radicale.close)
                path = radicale.make("work", "Work")
                radicale.send("PUT", f"{path}a.ics", event("a", "A", "20260512T100000Z", "20260512T110000Z"))
                return {**own, "kind": "caldav", "url": radicale.url}
            kind, _, tls = way.partition(" ")
            if kind == "smtp":
                mailman = Mailman(tmp_path / "post", shown, tls)
                stack.callback(mailman.close)
                return {**own, "kind": kind, "port": mailman.port, "tls": tls}
            needs_dovecot()
            dovecot = Dovecot(shown)
            stack.callback(dovecot.close)
            dovecot.deliver(mail(1))
            return {**own, "kind": kind, "port": dovecot.tls_port if tls == "tls" else dovecot.port, "tls": tls}

        yield start


WAYS = ("https", "imap tls", "imap starttls", "smtp tls", "smtp starttls")


async def said(office: Office, account: dict[str, Any]) -> Refused:
    office.accounts["own"] = account
    with pytest.raises(Refused) as refused:
        await probe(office.settings(), "own")
    assert PASSWORD not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("way", WAYS)
async def test_right(office: Office, serving: Serving, way: str, tmp_path: Path) -> None:
    """With the authority trusted, what is there is fetched, and a mail is sent, over TLS with a login."""
    account = office.accounts["own"] = serving(way)
    if account["kind"] != "smtp":
        (done,) = await sync(office)
        assert counts(done) == (1, 1, 0, 0)
        return
    post = Smtp("own", office.settings().connect.accounts["own"])
    given = {"message_id": "<a@x>", "sender": "nora@example.org", "recipients": ("bo@example.com",)}
    for key in ("a", "b"):
        await post.send(Outbox(tmp_path / "outbox.db"), key=key, data=mail(1), **given)
    await post.aclose()
    assert post.opened == 1
    assert len(list((tmp_path / "post").glob("*.eml"))) == 2


@pytest.mark.parametrize("way", WAYS)
async def test_nobody_vouches_for_it(office: Office, serving: Serving, way: str) -> None:
    """Without the authority the server is refused, and it is said which setting would trust it."""
    refused = await said(office, serving(way) | {"ca": ""})
    assert refused.what.startswith("its certificate is not trusted: ")
    assert refused.fix == "if it is the right server, give its CA's certificate as connect.accounts.own.ca"


@pytest.mark.parametrize("way", WAYS)
async def test_another_name(office: Office, serving: Serving, way: str) -> None:
    """A good certificate of another server is no certificate of this one."""
    refused = await said(office, serving(way, names=("mail.example.org",)))
    assert refused.what.startswith("its certificate is for another name: ")
    assert "connect.accounts.own.host" in (refused.fix or "")


@pytest.mark.parametrize("way", ["https", "imap tls", "smtp starttls"])
async def test_of_another_time(office: Office, serving: Serving, way: str) -> None:
    """An expired certificate is told as such: no setting of ours mends it."""
    refused = await said(office, serving(way, expired=True))
    assert refused.what == "its certificate is of another time: certificate has expired"
    assert (refused.fix or "").startswith("whoever runs the server must renew it")


@pytest.mark.parametrize("way", ["imap tls", "smtp tls"])
async def test_the_wrong_way(office: Office, serving: Serving, way: str) -> None:
    """TLS from the first byte where STARTTLS is due says which setting to look at, not the system's error number."""
    kind = way.partition(" ")[0]
    account = serving(f"{kind} starttls")
    refused = await said(office, account | {"tls": "tls"})
    assert refused.what.startswith("the server does not answer in TLS: ")
    assert "connect.accounts.own.tls" in (refused.fix or "")


async def test_no_starttls(office: Office, mailman: Mailman, dovecot: Dovecot) -> None:
    """Where STARTTLS is asked for and not offered, nothing is said in the clear: neither the password nor a mail."""
    ports = {"smtp": mailman.port, "imap": dovecot.port}
    for kind, port in ports.items():
        account = {"kind": kind, "host": "127.0.0.1", "port": port, "tls": "starttls", "retries": 0, **LOGIN}
        refused = await said(office, account)
        assert refused.what == "the server offers no STARTTLS"
        assert refused.fix == "set connect.accounts.own.tls to tls, and the port that goes with it"
    assert mailman.mails() == []
