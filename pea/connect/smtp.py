"""Handing mails to an SMTP server (RFC 5321), each at most once, over connections that are kept for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pea.config.connectors import Account
from pea.connect import accounts
from pea.connect.exchange import exchange, moved
from pea.connect.failures import Refused, Uncertain, Unreachable, insecure, no_starttls, wrong_credentials
from pea.connect.outbox import Handing, Outbox
from pea.errors import JournalUnavailable, MissingExtra, PeaError

if TYPE_CHECKING:
    from aiosmtplib import SMTP

CONNECTIONS, IDLE_S = 5, 30.0
STILL_THERE_S = 3.0  # what a kept connection may take to answer before it counts as dead


class Smtp:
    """One account's connections: a mail takes one that is idle, else opens one. `aclose` them at the end."""

    def __init__(self, name: str, account: Account, *, idle_s: float = IDLE_S) -> None:
        accounts.check(name, account)
        self.name, self.account = name, account
        self.opened = 0
        self._idle_s = idle_s
        self._idle: dict[SMTP, asyncio.TimerHandle] = {}  # the one that was used last is taken first
        self._leaving: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def send(
        self,
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

        Until the server has taken every recipient, nothing has been handed over and all of it may be repeated, on
        another connection too. From then on it is handed over once: what broke off in the midst raises Uncertain, now
        and at every repetition. ``on_the_way`` is called between writing that down and handing over. Raises Refused or
        Unreachable when nothing was sent.
        """
        line = outbox.enter(key, message_id)
        if line.state is Handing.SENT:
            return True
        if line.state is Handing.HANDING:
            raise _uncertain(self.name, message_id)
        async with self._turns:
            client = await exchange(self.name, self.account, "RCPT", lambda: self._addressed(sender, recipients))
            done = False
            try:
                if not outbox.change(key, Handing.READY, Handing.HANDING):
                    raise _uncertain(self.name, message_id)
                on_the_way()
                await exchange(
                    self.name, self.account, "DATA", lambda: self._hand_over(client, outbox, key, data), again=False
                )
                done = True
            except Unreachable as error:
                raise _uncertain(self.name, message_id) from error
            finally:
                if done:
                    self._keep(client)
                else:
                    client.close()
        try:
            outbox.change(key, Handing.HANDING, Handing.SENT)
        except JournalUnavailable as error:  # the server has taken it, and nobody will know: it is not sent again
            raise _uncertain(self.name, message_id) from error
        return False

    async def greet(self) -> None:
        """Log in: whether the account works. Raises Refused or Unreachable."""
        self._keep(await exchange(self.name, self.account, "EHLO", self._connected))

    async def aclose(self) -> None:
        """Take leave of the server."""
        for client, leaves in self._idle.items():
            leaves.cancel()
            self._leave(client)
        self._idle.clear()
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _addressed(self, sender: str, recipients: tuple[str, ...]) -> SMTP:
        """A connection on which the server has taken the sender and every recipient: a kept one, else a new one."""
        while self._idle:
            client, leaves = self._idle.popitem()
            leaves.cancel()
            try:
                return await self._envelope(client, sender, recipients, kept=True)
            except Unreachable:
                continue  # nothing has been handed over: whatever ended it, the next one begins anew
        return await self._envelope(await self._connected(), sender, recipients)

    async def _envelope(self, client: SMTP, sender: str, recipients: tuple[str, ...], *, kept: bool = False) -> SMTP:
        with self._or_closed(client):
            if kept:
                await client.rset(timeout=min(STILL_THERE_S, float(self.account.timeout)))
            await client.mail(sender)
            for one in recipients:
                await client.rcpt(one)
        return client

    async def _connected(self) -> SMTP:
        """A new connection, logged in."""
        try:
            from aiosmtplib import SMTP
        except ImportError as error:
            raise MissingExtra(f"sending needs {error.name}", fix="pip install 'pea[assistant]'") from error
        account = self.account
        client = SMTP(
            hostname=account.host,
            port=accounts.port(account),
            timeout=float(account.timeout),
            use_tls=account.tls == "tls",
            start_tls=account.tls == "starttls",
            tls_context=accounts.trust(self.name, account) if account.tls != "none" else None,
        )
        secret = accounts.password(self.name, account)
        with self._or_closed(client):
            await client.connect()
            if account.user:
                await client.login(account.user, secret)
        self.opened += 1
        return client

    @contextmanager
    def _or_closed(self, client: SMTP) -> Iterator[None]:
        """What goes wrong before anything was handed over, in our words; the connection is closed then."""
        from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

        place, ready = accounts.place(self.name, self.account), False
        try:
            yield
            ready = True
        except SMTPAuthenticationError as error:
            raise wrong_credentials(self.name, place) from error
        except SMTPResponseException as error:
            if 400 <= error.code < 500:
                raise Unreachable(f"the server says {error.code} {error.message}", where=place) from error
            raise Refused(f"the server says {error.code} {error.message}; nothing was sent", where=place) from error
        except (SMTPException, OSError) as error:
            raise self._broken(place, error) from error
        finally:
            if not ready:
                client.close()

    def _broken(self, place: str, error: Exception) -> PeaError:
        if self.account.tls == "starttls" and "STARTTLS" in str(error):
            return no_starttls(self.name, place)
        return insecure(self.name, place, error) or Unreachable(str(error) or type(error).__name__, where=place)

    async def _hand_over(self, client: SMTP, outbox: Outbox, key: str, data: bytes) -> None:
        from aiosmtplib import SMTPException, SMTPResponseException, SMTPServerDisconnected

        try:
            await client.data(data)
            moved(len(data))
        except SMTPServerDisconnected as error:
            raise Unreachable(str(error), where=self.name) from error
        except SMTPResponseException as error:  # it has said that it did not take it
            outbox.change(key, Handing.HANDING, Handing.READY, f"{error.code} {error.message}"[:500])
            raise Refused(f"the server says {error.code} {error.message}; nothing was sent", where=self.name) from error
        except (SMTPException, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__, where=self.name) from error

    def _keep(self, client: SMTP) -> None:
        """Keep a connection for the next mail, for a while."""
        if client.is_connected:
            self._idle[client] = asyncio.get_running_loop().call_later(self._idle_s, self._idle_too_long, client)

    def _idle_too_long(self, client: SMTP) -> None:
        del self._idle[client]
        self._leave(client)

    def _leave(self, client: SMTP) -> None:
        task = asyncio.get_running_loop().create_task(_quit(client))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _quit(client: SMTP) -> None:
    from aiosmtplib import SMTPException

    try:
        await client.quit(timeout=STILL_THERE_S)
    except (SMTPException, OSError):
        client.close()  # it is gone already


def _uncertain(name: str, message_id: str) -> Uncertain:
    return Uncertain(
        f"it broke off while the server took the mail {message_id}: it may have been sent, so it is not sent again",
        where=name,
        fix="look whether it arrived, or is in the sent mail; if not, ask to send it anew",
    )
