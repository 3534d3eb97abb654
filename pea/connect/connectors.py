"""The accounts of some kinds, with their open connections: brought up to date one after another, each by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from pea.config import Settings
from pea.config.connectors import Account
from pea.connect import accounts, caldav, imap, web
from pea.connect.dav import Http
from pea.connect.exchange import span
from pea.connect.imap import Imap
from pea.connect.mirror import Mirror, replace
from pea.connect.smtp import Smtp
from pea.connect.synced import Standing, Synced, moment, standing, standing_file
from pea.errors import ConfigError, PeaError, WorkspaceError, did_you_mean
from pea.telemetry import get_logger, names

PLACES = {"caldav": "calendars", "imap": "mail"}
LAST_WORDS_S = 0.5  # kept of the time for saying what came of it

log = get_logger("pea.connect")


class Connectors:
    """Owns the connections of the accounts of ``kinds``; `aclose` them at the end. For one event loop."""

    def __init__(self, settings: Settings, *kinds: str, wall: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.accounts = accounts.selected(settings, *kinds)
        self._wall = wall
        self._http: dict[str, Http] = {}
        self._imap: dict[str, Imap] = {}
        self._smtp: dict[str, Smtp] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        for http in self._http.values():
            await http.aclose()
        for mail in self._imap.values():
            await mail.aclose()
        for sender in self._smtp.values():
            await sender.aclose()
        self._http.clear()
        self._imap.clear()
        self._smtp.clear()

    def pick(self, name: str, kind: str) -> tuple[str, Account]:
        """An account of a kind: the named one, or the only one there is. Raises ConfigError."""
        fitting = {one: account for one, account in self.accounts.items() if account.kind == kind}
        if name in fitting:
            return name, fitting[name]
        if name:
            raise ConfigError(f"there is no {kind} account {name!r}", where="account", fix=did_you_mean(name, fitting))
        if len(fitting) != 1:
            fix = f"name one: {', '.join(sorted(fitting))}" if fitting else "add one: docs/connectors.md"
            raise ConfigError(f"there are {len(fitting) or 'no'} {kind} accounts", where="connect.accounts", fix=fix)
        return next(iter(fitting.items()))

    def http(self, name: str) -> Http:
        """The connections of a caldav or web account."""
        if name not in self._http:
            self._http[name] = Http(name, self.accounts[name])
        return self._http[name]

    def imap(self, name: str) -> Imap:
        """The connection of an imap account."""
        if name not in self._imap:
            self._imap[name] = Imap(name, self.accounts[name])
        return self._imap[name]

    def smtp(self, name: str) -> Smtp:
        """The connections of an smtp account."""
        if name not in self._smtp:
            self._smtp[name] = Smtp(name, self.accounts[name])
        return self._smtp[name]

    def mirror(self, name: str) -> Mirror:
        """An account's files and memory."""
        account = self.accounts[name]
        workspace = Path(self.settings.workspace)
        folder = workspace if account.kind == "web" else workspace / PLACES[account.kind] / name
        return Mirror(folder, Path(self.settings.state) / "connect" / f"{name}.json")

    def turn(self, name: str) -> asyncio.Lock:
        """Held while an account is synced or written to in this process."""
        return self._turns.setdefault(name, asyncio.Lock())

    async def sync(self, only: Iterable[str] = (), *, within_s: float = 300.0) -> tuple[Synced, ...]:
        """Bring accounts up to date, side by side; one that fails leaves the others, and its last copy, alone.

        ``only`` names some of them. What is not done after ``within_s`` seconds is done by the next sync. Raises
        ConfigError for a name that is no account's, and when there is no workspace or state folder.
        """
        if not self.settings.workspace or not self.settings.state:
            raise ConfigError("a workspace and a state folder are needed", fix="give --workspace and --state")
        wanted = dict.fromkeys(only)
        chosen = [name for name in self.accounts if not wanted or name in wanted]
        for name in wanted:
            if name not in self.settings.connect.accounts:
                known = self.settings.connect.accounts
                raise ConfigError(f"no account is called {name!r}", where="accounts", fix=did_you_mean(name, known))
        return tuple(await asyncio.gather(*(self._sync(name, within_s) for name in chosen)))

    async def _sync(self, name: str, within_s: float) -> Synced:
        account = self.accounts[name]
        before = standing(self.settings, name)
        attributes = {names.PEA_CONNECTOR_NAME: name, names.PEA_CONNECTOR_KIND: account.kind}
        async with self.turn(name):
            with span(f"{names.SPAN_CONNECTOR_SYNC} {name}", attributes) as current:
                try:
                    accounts.check(name, account)
                    mirror = self.mirror(name)
                    with mirror.alone():
                        done = await self._by_kind(name, account, mirror, within_s)
                except PeaError as error:
                    current.record_exception(error)
                    log.warning("an account could not be brought up to date", account=name, reason=str(error))
                    self._note(name, Standing(before.last_good, error.what))
                    return Synced(
                        account=name,
                        kind=account.kind,
                        problem=error.what,
                        fix=error.fix,
                        last_good=moment(before.last_good),
                    )
                current.set_attribute(names.PEA_CONNECTOR_CHANGES, done.changes)
        good = self._wall()
        self._note(name, Standing(good))
        return msgspec.structs.replace(done, last_good=moment(good))

    def _note(self, name: str, now: Standing) -> None:
        """Keep how an account stands; where that cannot be written, the other accounts are fetched all the same."""
        try:
            replace(standing_file(self.settings, name), msgspec.json.encode(now))
        except WorkspaceError as error:
            log.warning("how an account stands cannot be kept", account=name, reason=str(error))

    async def _by_kind(self, name: str, account: Account, mirror: Mirror, within_s: float) -> Synced:
        if account.kind == "caldav":
            return await self._calendars(name, account, mirror)
        if account.kind == "imap":
            return await self._mail(name, account, mirror, within_s)
        return await web.fetch(self.http(name), account, mirror, self._wall())

    async def _calendars(self, name: str, account: Account, mirror: Mirror) -> Synced:
        memory = mirror.recall(caldav.Memory)
        tally = await caldav.sync(self.http(name), account, mirror, memory)
        items = sum(len(known.items) for known in memory.calendars.values())
        counts = {"meeting-created": tally.added, "calendar-update": tally.changed, "meeting-cancelled": tally.removed}
        return tally.told(name, account.kind, items, tuple(event for event, count in counts.items() if count))

    async def _mail(self, name: str, account: Account, mirror: Mirror, within_s: float) -> Synced:
        memory = mirror.recall(imap.Memory)
        stop = threading.Event()
        late = asyncio.get_running_loop().call_later(max(0.0, within_s - LAST_WORDS_S), stop.set)
        try:
            tally = await self.imap(name).run(
                "SYNC",
                lambda client: imap.sync(client, account, mirror, memory, stop),
                timeout_s=within_s + float(account.timeout),
            )
        finally:
            late.cancel()
            stop.set()  # should nobody wait any more, the thread ends at its next step
        items = sum(len(box.mails) for box in memory.folders.values())
        counts = {"mail-received": tally.added, "mail-update": tally.changed + tally.removed}
        return tally.told(name, account.kind, items, tuple(event for event, count in counts.items() if count))
