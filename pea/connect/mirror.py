"""A folder of the workspace that is kept like what is on a server, and the memory of what was fetched.

Files are replaced whole, so that a reader never sees half of one. The memory is written after them and has their sizes:
what a crash left unfinished, or somebody deleted, shows at the next sync and is fetched again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from pea.errors import Conflict, WorkspaceError

S = TypeVar("S", bound=msgspec.Struct)
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
_TEMPORARY = ".pea-"


class Mirror:
    """The files of one account: ``folder`` in the workspace, ``memory`` (a JSON file) in the state folder."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.folder = folder
        self._memory = memory

    def recall(self, kind: type[S]) -> S:
        """What was remembered; as new when there is nothing, or nothing that can be read."""
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError):
            return kind()

    def remember(self, state: msgspec.Struct) -> None:
        """Write what is to be remembered; on the disk when this returns."""
        replace(self._memory, msgspec.json.encode(state), durable=True)

    def intact(self, name: str, size: int) -> bool:
        """Whether a file is there as it was written."""
        try:
            return (self.folder / name).stat().st_size == size
        except OSError:
            return False

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Replace a file."""
        replace(self.folder / name, data)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        path = self.folder / old
        try:
            path.rename(self.folder / new)
        except OSError as error:
            raise _unwritable(path, "renamed", error) from error

    def remove(self, name: str) -> None:
        """Delete a file, and its folder if that was the last."""
        path = self.folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(path, "deleted", error) from error
        with suppress(OSError):
            path.parent.rmdir()

    def strays(self, known: set[str], pattern: re.Pattern[str]) -> Iterator[str]:
        """Files that were written here once (their names fit ``pattern``) and are not known any more."""
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and name not in known and pattern.fullmatch(path.name):
                yield name

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from this account meanwhile. Raises Conflict when one is at it."""
        self._memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._memory.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Conflict("another PEA is at it", where=self._memory.stem, fix="wait until it is done") from None
            yield
        finally:
            os.close(descriptor)


def replace(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file whole: readers see the old or the new one. Raises WorkspaceError when it cannot be written."""
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name[-100:]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # where there is no folder, there is none of it either
            temporary.unlink()
        raise _unwritable(path, "written", error) from error


def _unwritable(path: Path, done: str, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"cannot be {done}: {error.strerror}", where=str(path), fix="make room, or allow it")


def folder_name(name: str) -> str:
    """A folder's name for what a server calls ``name``, which may be anything; different for different names."""
    plain = _PLAIN.sub("-", name).strip("-")[:60]
    return plain if plain == name else f"{plain or 'x'}-{digest(name)[:8]}"


def digest(text: str) -> str:
    """32 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
