"""Owns the memory: one connection in one thread, so that the event loop waits for no disk."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pea.config import MemorySettings
from pea.errors import InputError, ShuttingDown
from pea.memory.tables import connect
from pea.workspace.search_query import parse

T = TypeVar("T")

MAX_NAMESPACE = 200  # characters
MAX_KEY = 500
MAX_FOUND = 1_000
FRESH_S = 60.0  # how exactly it is known when an entry was used last; a read that writes each time would cost a write
EVICTED_AT_ONCE = 64
_NAMESPACE = re.compile(r"[\w.@+-]+(?::[\w.@+-]+)*")
_FIELDS = "namespace, key, value, created, updated, expires"


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: ``value`` is JSON; times are Unix seconds."""

    namespace: str
    key: str
    value: msgspec.Raw
    created: float
    updated: float
    expires: float


class Memories:
    """The memory of all agents. Namespaces are parts parted by ``:``; one contains those that begin with its parts.

    It is opened at the first use, and shared by the processes that have the same state folder. What a method gives or
    takes as ``value`` is what JSON can say. Raises InputError for names or values out of bounds, Damaged when the file
    cannot be used.
    """

    def __init__(self, path: Path | None, settings: MemorySettings, *, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._settings = settings
        self._wall = wall
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def store(self, namespace: str, key: str, value: Any, ttl_s: float | None = None) -> Remembered:
        """Remember a value in place of what was there, for ``ttl_s`` seconds or as long as configured."""
        _check(namespace, key)
        limit = float(self._settings.age)
        if ttl_s is not None and not 0 < ttl_s <= limit:
            raise InputError(f"between 0 and {limit:,.0f} seconds are possible", where="ttl_s")
        text = self._encoded(value)
        return await self._run(lambda db: self._put(db, namespace, key, text, limit if ttl_s is None else ttl_s))

    async def retrieve(self, namespace: str, key: str) -> Remembered | None:
        """What is remembered under a key, or None."""
        _check(namespace, key)
        return await self._run(lambda db: self._get(db, namespace, key))

    async def search(self, namespace: str = "", query: str = "", prefix: str = "", limit: int = 20) -> list[Remembered]:
        """Entries of a namespace and those below it, whose keys begin with ``prefix``.

        With a ``query`` those that hold its words, best first (BM25; all words, else any); else the latest first.
        """
        if namespace:
            _check(namespace, "-")
        if not 1 <= limit <= MAX_FOUND:
            raise InputError(f"between 1 and {MAX_FOUND:,} can be asked for", where="limit")
        return await self._run(lambda db: self._search(db, namespace, query, prefix, limit))

    async def forget(self, namespace: str, key: str) -> bool:
        """Forget an entry; whether there was one."""
        _check(namespace, key)
        statement = "DELETE FROM memories WHERE namespace = ? AND key = ?"
        return await self._run(lambda db: db.execute(statement, (namespace, key)).rowcount > 0)

    async def totals(self) -> tuple[int, int]:
        """How many entries there are, and the bytes of their keys and values."""
        found = await self._run(lambda db: db.execute("SELECT entries, bytes FROM totals").fetchone())
        return int(found[0]), int(found[1])

    async def aclose(self) -> None:
        """Close the file; everything has been written."""
        self._closed = True
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(thread, self._close)
        thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise ShuttingDown("the memory is closed")
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="pea-memory")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_transaction, work)

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = connect(self._path)
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            found = work(db)
            db.execute("COMMIT")
        except BaseException:  # half a change must not stand, whatever broke it off
            if db.in_transaction:  # after some errors SQLite has rolled back by itself
                db.execute("ROLLBACK")
            raise
        return found

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _encoded(self, value: Any) -> str:
        try:
            data = msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"cannot be remembered: {error}", where="value", fix="give what JSON can say") from error
        limit = int(self._settings.value)
        if len(data) > limit:
            raise InputError(f"has {len(data):,} bytes; at most {limit:,} are kept", where="value")
        return data.decode()

    def _put(self, db: sqlite3.Connection, namespace: str, key: str, text: str, ttl_s: float) -> Remembered:
        now = self._wall()
        row = db.execute("SELECT created FROM memories WHERE namespace = ? AND key = ?", (namespace, key)).fetchone()
        created = now if row is None else row[0]
        # Deleted first: the triggers then know the old text, which the full-text index has to be told.
        db.execute("DELETE FROM memories WHERE namespace = ? AND key = ?", (namespace, key))
        size = len(namespace.encode()) + len(key.encode()) + len(text.encode())
        db.execute(
            "INSERT INTO memories (namespace, key, value, size, created, updated, used, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (namespace, key, text, size, created, now, now, now + ttl_s),
        )
        self._bound(db, now)
        return _read((namespace, key, text, created, now, now + ttl_s))

    def _get(self, db: sqlite3.Connection, namespace: str, key: str) -> Remembered | None:
        now = self._wall()
        statement = f"SELECT {_FIELDS}, id, used FROM memories WHERE namespace = ? AND key = ? AND expires > ?"  # noqa: S608
        row = db.execute(statement, (namespace, key, now)).fetchone()
        if row is None:
            return None
        if abs(now - row[7]) > FRESH_S:
            db.execute("UPDATE memories SET used = ? WHERE id = ?", (now, row[6]))
        return _read(row[:6])

    def _search(self, db: sqlite3.Connection, namespace: str, query: str, prefix: str, limit: int) -> list[Remembered]:
        where, values = ["m.expires > ?"], [self._wall()]  # type: tuple[list[str], list[Any]]
        if namespace:
            where.append("(m.namespace = ? OR substr(m.namespace, 1, ?) = ?)")
            values += [namespace, len(namespace) + 1, f"{namespace}:"]
        if prefix:
            where.append("substr(m.key, 1, ?) = ?")
            values += [len(prefix), prefix]
        fields = ", ".join(f"m.{field}" for field in _FIELDS.split(", "))
        bounds = " AND ".join(where)
        if not query.strip():
            statement = f"SELECT {fields} FROM memories AS m WHERE {bounds} ORDER BY m.updated DESC, m.id DESC LIMIT ?"  # noqa: S608
            return [_read(row) for row in db.execute(statement, (*values, limit))]
        asked = parse(query)
        statement = (
            f"SELECT {fields} FROM words JOIN memories AS m ON m.id = words.rowid"  # noqa: S608
            f" WHERE words MATCH ? AND {bounds} ORDER BY bm25(words, 4.0, 1.0), m.updated DESC LIMIT ?"
        )
        for expression in (asked.all(), asked.any()) if asked.terms else ():
            rows = db.execute(statement, (expression, *values, limit)).fetchall()
            if rows:
                return [_read(row) for row in rows]
        return []

    def _bound(self, db: sqlite3.Connection, now: float) -> None:
        """Forget what has expired, then what was used least recently until the rest fits."""
        db.execute("DELETE FROM memories WHERE expires <= ?", (now,))
        while True:
            entries, size = db.execute("SELECT entries, bytes FROM totals").fetchone()
            over = entries - self._settings.entries
            if over <= 0 and size <= int(self._settings.size):
                return
            count = max(1, min(over, EVICTED_AT_ONCE))
            statement = "DELETE FROM memories WHERE id IN (SELECT id FROM memories ORDER BY used, id LIMIT ?)"
            if not db.execute(statement, (count,)).rowcount:
                return


class AgentMemory:
    """``ctx.memory``: the memory as one agent sees it, in its own namespace ``agent:{name}``; each use is a step."""

    __slots__ = ("_memories", "_namespace", "_step")

    def __init__(self, memories: Memories, agent: str, step: Callable[[str], AbstractContextManager[Any]]) -> None:
        self._memories = memories
        self._namespace = f"agent:{agent}"
        self._step = step

    @property
    def everything(self) -> Memories:
        """The memory of all agents and hosts."""
        return self._memories

    async def store(self, key: str, value: Any, ttl_s: float | None = None) -> None:
        """Remember a value: ``await ctx.memory.store("greeting", "Dear all")``. See `Memories.store`."""
        with self._step("memory.store"):
            await self._memories.store(self._namespace, key, value, ttl_s)

    async def retrieve(self, key: str) -> Any:
        """The value under a key, or None."""
        with self._step("memory.retrieve"):
            found = await self._memories.retrieve(self._namespace, key)
        return None if found is None else msgspec.json.decode(found.value)

    async def search(self, query: str = "", prefix: str = "", limit: int = 20) -> list[Remembered]:
        """This agent's entries; see `Memories.search`."""
        with self._step("memory.search"):
            return await self._memories.search(self._namespace, query, prefix, limit)

    async def forget(self, key: str) -> bool:
        """Forget an entry; whether there was one."""
        with self._step("memory.forget"):
            return await self._memories.forget(self._namespace, key)


def _check(namespace: str, key: str) -> None:
    if len(namespace) > MAX_NAMESPACE or not _NAMESPACE.fullmatch(namespace):
        raise InputError(
            f"{namespace[:60]!r} is no namespace",
            where="namespace",
            fix="write words parted by colons, such as travel:preferences",
        )
    if not key.strip() or len(key) > MAX_KEY or "\x00" in key:
        raise InputError(f"a key of 1 to {MAX_KEY} characters is expected", where="key")


def _read(row: tuple[Any, ...]) -> Remembered:
    return Remembered(
        namespace=row[0], key=row[1], value=msgspec.Raw(row[2]), created=row[3], updated=row[4], expires=row[5]
    )
