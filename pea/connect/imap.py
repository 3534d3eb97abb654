"""IMAP (RFC 9051): folders kept as Maildirs, fetched as far as UIDs and MODSEQs (RFC 7162) say that they changed.

The library blocks, so an account has one thread and one connection, which is kept between syncs.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pea.config.connectors import Account
from pea.connect import accounts
from pea.connect.exchange import exchange, moved, reason
from pea.connect.failures import Refused, Unreachable, insecure, no_starttls, wrong_credentials
from pea.connect.mirror import Mirror, folder_name
from pea.connect.synced import Tally
from pea.errors import MissingExtra
from pea.telemetry.tcp_bytes import tcp_bytes

if TYPE_CHECKING:
    from imapclient import IMAPClient

T = TypeVar("T")

BATCH, BATCH_BYTES, FLAGS_BATCH = 200, 8 << 20, 1_000
REMEMBER_EVERY = 1_000  # mails: a sync that is cut short goes on from there
FILE = re.compile(r"\d{1,10}\.V\d+U\d+\.pea:2,[A-Z]*")
_LETTERS = {b"\\draft": "D", b"\\flagged": "F", b"\\answered": "R", b"\\seen": "S", b"\\deleted": "T"}
_SPECIAL = {"sent": b"\\Sent", "drafts": b"\\Drafts", "trash": b"\\Trash", "archive": b"\\Archive"}


class Mail(msgspec.Struct, frozen=True, array_like=True):
    """A mail as it was fetched: its file and that file's size; -1 for one that was left out."""

    file: str
    size: int


class Box(msgspec.Struct):
    """What is known of one folder."""

    validity: int = 0
    next: int = 0
    modseq: int = 0
    exists: int = 0
    mails: dict[int, Mail] = {}


class Memory(msgspec.Struct):
    """What is known of an account, by the folders' names."""

    folders: dict[str, Box] = {}


class Imap:
    """One account's connection and its thread. `aclose` it at the end."""

    def __init__(self, name: str, account: Account) -> None:
        accounts.check(name, account)
        self.name, self.account = name, account
        self._client: IMAPClient | None = None
        self._moved = 0  # bytes over the present connection that have been told
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"pea-imap-{name}")

    async def run(
        self, operation: str, work: Callable[[IMAPClient], T], *, again: bool = True, timeout_s: float | None = None
    ) -> T:
        """What ``work`` returns, given the connection, logged in. Raises Unreachable, Refused or CredentialError."""

        async def once() -> T:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)
            moved(self._newly_moved())
            return result

        return await exchange(self.name, self.account, operation, once, again=again, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Log out and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(self, work: Callable[[IMAPClient], T]) -> T:
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError

        try:
            return work(self._connected())
        except LoginError as error:
            self._drop()
            raise wrong_credentials(self.name, self.place) from error
        except (IMAPClientAbortError, ProtocolError, OSError, EOFError) as error:
            self._drop()
            refused = insecure(self.name, self.place, error)
            if refused is not None:
                raise refused from error
            told = f"no connection: {reason(error)}" if isinstance(error, OSError) else str(error)
            raise Unreachable(told or type(error).__name__, where=self.place) from error
        except IMAPClientError as error:
            self._drop()
            raise Refused(str(error), where=self.place) from error
        except (KeyError, ValueError, TypeError) as error:  # what the library makes of an answer that is none
            self._drop()
            raise Refused(f"the server's answer cannot be understood: {error!r}", where=self.place) from error

    @property
    def place(self) -> str:
        """The account and its server, as errors say where."""
        return accounts.place(self.name, self.account)

    def _connected(self) -> IMAPClient:
        """The connection, made anew when there is none or it does not answer any more."""
        from imapclient.exceptions import IMAPClientError

        if self._client is not None:
            try:
                self._client.noop()
            except (IMAPClientError, OSError, EOFError):
                self._drop()
            else:
                return self._client
        account = self.account
        secret = accounts.password(self.name, account)
        try:
            from imapclient import IMAPClient, SocketTimeout
        except ImportError as error:
            raise MissingExtra(f"mail needs {error.name}", fix="pip install 'pea[assistant]'") from error
        trust = accounts.trust(self.name, account)
        limit = float(account.timeout)
        client = IMAPClient(
            account.host,
            port=accounts.port(account),
            use_uid=True,
            ssl=account.tls == "tls",
            ssl_context=trust,
            timeout=SocketTimeout(connect=limit, read=limit),
        )
        self._client, self._moved = client, 0
        if account.tls == "starttls":
            if not client.has_capability("STARTTLS"):
                raise no_starttls(self.name, self.place)
            client.starttls(trust)
        if account.user:
            client.login(account.user, secret)
        if client.has_capability("CONDSTORE") and client.has_capability("ENABLE"):
            client.enable("CONDSTORE")
        return client

    def _newly_moved(self) -> int:
        """Bytes over the connection since the last time; 0 where the system does not tell."""
        client, before = self._client, self._moved
        self._moved = max((tcp_bytes(client.socket()) if client is not None else None) or 0, before)
        return self._moved - before

    def _drop(self) -> None:
        from imapclient.exceptions import IMAPClientError

        client, self._client = self._client, None
        if client is not None:
            try:
                client.logout()
            except (IMAPClientError, OSError, EOFError):
                return  # it is gone already


def sync(client: IMAPClient, account: Account, mirror: Mirror, memory: Memory, stop: threading.Event) -> Tally:
    """Make the Maildirs like the server's folders, until ``stop`` is set; to be run by `Imap.run`."""
    tally = Tally()
    wanted: dict[str, str] = {}
    for name in account.folders:
        found = folder(client, name)
        if found is None:
            tally.notes.append(f"the server has no folder {name!r}")
        else:
            wanted[name] = found
    for name in [name for name in memory.folders if name not in wanted]:
        gone = memory.folders.pop(name)
        tally.removed += _remove(mirror, gone, list(gone.mails))
    for name, remote in wanted.items():
        box = memory.folders.setdefault(name, Box())
        _folder(client, account, mirror, memory, name, remote, box, stop, tally)
        mirror.remember(memory)
    files = {mail.file for box in memory.folders.values() for mail in box.mails.values()}
    for stray in list(mirror.strays(files, FILE)):
        mirror.remove(stray)
    return tally


def folder(client: IMAPClient, name: str) -> str | None:
    """The server's folder of this name, or the one that it marks so (RFC 6154): "Sent" may be "Gesendet"."""
    if client.folder_exists(name):
        return name
    special = _SPECIAL.get(name.lower())
    found = client.find_special_folder(special) if special is not None else None
    return None if found is None else str(found)


def _folder(
    client: IMAPClient,
    account: Account,
    mirror: Mirror,
    memory: Memory,
    name: str,
    remote: str,
    box: Box,
    stop: threading.Event,
    tally: Tally,
) -> None:
    told = client.select_folder(remote, readonly=True)
    validity, following = int(told[b"UIDVALIDITY"]), int(told.get(b"UIDNEXT", 0))
    exists, modseq = int(told[b"EXISTS"]), int(_first(told.get(b"HIGHESTMODSEQ", 0)))
    if box.validity != validity:  # the server has numbered its mails anew: nothing that was known counts
        tally.removed += _remove(mirror, box, list(box.mails))
        box.validity, box.modseq, box.next = validity, 0, 0
    hurt = [uid for uid, mail in box.mails.items() if mail.size >= 0 and not mirror.intact(mail.file, mail.size)]
    for uid in hurt:
        del box.mails[uid]
    known = (box.next, box.exists, box.modseq)
    if not hurt and modseq and following and known == (following, exists, modseq):
        return
    present = sorted(client.search("ALL"))
    kept = set(present[-account.newest :])
    tally.removed += _remove(mirror, box, [uid for uid in box.mails if uid not in kept])
    _flags(client, mirror, box, modseq, tally)
    fresh = sorted(kept - box.mails.keys(), reverse=True)  # what is newest is wanted first
    folder_ = f"{folder_name(name)}/cur"
    left = len(fresh)
    for number, (uid, data, flags, arrived) in enumerate(_fetched(client, account, fresh, stop, tally), 1):
        left -= 1
        file = f"{folder_}/{arrived}.V{validity}U{uid}.pea:2,{_letters(flags)}"
        if data is not None:
            mirror.write(file, data)
        box.mails[uid] = Mail(file, -1 if data is None else len(data))
        tally.added += data is not None
        if number % REMEMBER_EVERY == 0:
            mirror.remember(memory)
    if stop.is_set():
        tally.pending += left
        return
    box.next, box.exists, box.modseq = following, exists, modseq


def _flags(client: IMAPClient, mirror: Mirror, box: Box, modseq: int, tally: Tally) -> None:
    """Give the files of mails whose flags changed their new names."""
    if not box.mails or (modseq and modseq == box.modseq):
        return
    touched = client.search(["MODSEQ", str(box.modseq + 1)]) if modseq and box.modseq else box.mails
    uids = sorted(box.mails.keys() & set(touched))
    for first in range(0, len(uids), FLAGS_BATCH):
        for uid, told in client.fetch(uids[first : first + FLAGS_BATCH], ["FLAGS"]).items():
            mail = box.mails.get(uid)
            if mail is None or mail.size < 0 or b"FLAGS" not in told:
                continue
            name = f"{mail.file.rpartition(',')[0]},{_letters(told[b'FLAGS'])}"
            if name != mail.file:
                mirror.rename(mail.file, name)
                box.mails[uid] = Mail(name, mail.size)
                tally.changed += 1


def _fetched(
    client: IMAPClient, account: Account, uids: list[int], stop: threading.Event, tally: Tally
) -> Iterable[tuple[int, bytes | None, Any, int]]:
    """UID, bytes (None: it is too large), flags and arrival in Unix seconds of each mail that is still there."""
    for first in range(0, len(uids), BATCH):
        if stop.is_set():
            return
        about: Mapping[int, Any] = client.fetch(uids[first : first + BATCH], ["RFC822.SIZE", "FLAGS", "INTERNALDATE"])
        heads = {uid: (told[b"FLAGS"], _seconds(told.get(b"INTERNALDATE"))) for uid, told in about.items()}
        for batch in _by_size(account, about, tally):
            if stop.is_set():
                return
            if batch[0] is None:
                yield batch[1], None, *heads[batch[1]]
                continue
            for uid, told in client.fetch(batch, ["BODY.PEEK[]"]).items():
                if uid in heads and told.get(b"BODY[]"):
                    yield uid, told[b"BODY[]"], *heads[uid]


def _by_size(account: Account, about: Mapping[int, Any], tally: Tally) -> Iterable[list[Any]]:
    """UIDs that are fetched together, about BATCH_BYTES; [None, uid] for one that is too large."""
    batch: list[Any] = []
    size = 0
    for uid in sorted(about, reverse=True):
        own = int(about[uid].get(b"RFC822.SIZE", 0))
        if own > account.max_item:
            tally.notes.append(f"mail {uid} has {own:,} bytes, more than {int(account.max_item):,}")
            yield [None, uid]
            continue
        if batch and size + own > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(uid)
        size += own
    if batch:
        yield batch


def _remove(mirror: Mirror, box: Box, uids: list[int]) -> int:
    for uid in uids:
        mail = box.mails.pop(uid)
        if mail.size >= 0:
            mirror.remove(mail.file)
    return len(uids)


def _letters(flags: Iterable[bytes]) -> str:
    return "".join(sorted(letter for flag in flags if (letter := _LETTERS.get(flag.lower()))))


def _seconds(moment: datetime | None) -> int:
    return 0 if moment is None else max(0, min(int(moment.timestamp()), 9_999_999_999))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) else value
