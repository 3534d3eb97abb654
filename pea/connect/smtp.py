"""Handing a mail to an SMTP server (RFC 5321) at most once, and at least once unless the connection breaks midway."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pea.config.connectors import Account
from pea.connect import accounts
from pea.connect.exchange import exchange
from pea.connect.failures import Refused, Uncertain, Unreachable, untrusted, wrong_credentials
from pea.connect.outbox import Handing, Outbox
from pea.errors import MissingExtra

if TYPE_CHECKING:
    from aiosmtplib import SMTP


async def send(
    name: str,
    account: Account,
    outbox: Outbox,
    *,
    key: str,
    message_id: str,
    sender: str,
    recipients: tuple[str, ...],
    data: bytes,
    on_the_way: Callable[[], None] = lambda: None,
) -> bool:
    """Send a mail; whether it had been sent before, by the same ``key``.

    Until the server has taken every recipient, nothing has been handed over and all of it may be repeated. From then
    on it is handed over once: what broke off in the midst raises Uncertain, now and at every repetition. ``on_the_way``
    is called between writing that down and handing over. Raises Refused or Unreachable when nothing was sent.
    """
    accounts.check(name, account)
    line = outbox.enter(key, message_id)
    if line.state is Handing.SENT:
        return True
    if line.state is Handing.HANDING:
        raise _uncertain(name, message_id)
    client = await exchange(name, account, "RCPT", lambda: _prepared(name, account, sender, recipients))
    try:
        if not outbox.change(key, Handing.READY, Handing.HANDING):
            raise _uncertain(name, message_id)
        on_the_way()
        await exchange(name, account, "DATA", lambda: _hand_over(name, client, outbox, key, data), again=False)
    except Unreachable as error:
        raise _uncertain(name, message_id) from error
    finally:
        client.close()
    outbox.change(key, Handing.HANDING, Handing.SENT)
    return False


async def greet(name: str, account: Account) -> None:
    """Log in and leave: whether the account works. Raises Refused or Unreachable."""
    client = await exchange(name, account, "EHLO", lambda: _prepared(name, account, "", ()))
    client.close()


async def _prepared(name: str, account: Account, sender: str, recipients: tuple[str, ...]) -> SMTP:
    """A connection on which the server has taken the sender, if there is one, and every recipient."""
    try:
        from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException
    except ImportError as error:
        raise MissingExtra(f"sending needs {error.name}", fix="pip install 'pea[assistant]'") from error
    place = accounts.place(name, account)
    client = SMTP(
        hostname=account.host,
        port=accounts.port(account),
        timeout=float(account.timeout),
        use_tls=account.tls == "tls",
        start_tls=account.tls == "starttls",
        tls_context=accounts.trust(name, account) if account.tls != "none" else None,
    )
    secret = accounts.password(name, account)
    ready = False
    try:
        await client.connect()
        if account.user:
            await client.login(account.user, secret)
        if sender:
            await client.mail(sender)
        for one in recipients:
            await client.rcpt(one)
        ready = True
    except SMTPAuthenticationError as error:
        raise wrong_credentials(name, place) from error
    except SMTPResponseException as error:
        if 400 <= error.code < 500:
            raise Unreachable(f"the server says {error.code} {error.message}", where=place) from error
        raise Refused(f"the server says {error.code} {error.message}; nothing was sent", where=place) from error
    except (SMTPException, OSError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise untrusted(name, place, error) from error
        raise Unreachable(str(error) or type(error).__name__, where=place) from error
    finally:
        if not ready:
            client.close()
    return client


async def _hand_over(name: str, client: SMTP, outbox: Outbox, key: str, data: bytes) -> None:
    from aiosmtplib import SMTPException, SMTPResponseException, SMTPServerDisconnected

    try:
        await client.data(data)
    except SMTPServerDisconnected as error:
        raise Unreachable(str(error), where=name) from error
    except SMTPResponseException as error:  # it has said that it did not take it
        outbox.change(key, Handing.HANDING, Handing.READY, f"{error.code} {error.message}"[:500])
        raise Refused(f"the server says {error.code} {error.message}; nothing was sent", where=name) from error
    except (SMTPException, OSError) as error:
        raise Unreachable(str(error) or type(error).__name__, where=name) from error


def _uncertain(name: str, message_id: str) -> Uncertain:
    return Uncertain(
        f"it broke off while the server took the mail {message_id}: it may have been sent, so it is not sent again",
        where=name,
        fix="look whether it arrived, or is in the sent mail; if not, ask to send it anew",
    )
