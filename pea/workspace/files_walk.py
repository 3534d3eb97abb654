"""Walking a folder of the workspace without ever leaving it, and without opening what is not a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pea.errors import WorkspaceError
from pea.workspace.files_report import Complaints, Unreadable, plain_reason

MAX_DEPTH = 16


class Found(NamedTuple):
    """A regular file: its path in the workspace as shown, its real path and its status."""

    key: str
    path: Path
    status: os.stat_result


def inside(workspace: Path, relative: str | Path) -> Path:
    """The real path of ``relative`` in the workspace; WorkspaceError when it leads outside, also through a link."""
    root = workspace.resolve()
    try:
        path = (root / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL in the name
        raise WorkspaceError("it is not a usable path", where=shown(str(relative))) from error
    if not path.is_relative_to(root):
        raise WorkspaceError(
            "it leads outside the workspace", where=shown(str(relative)), fix="name a file in the workspace"
        )
    return path


def shown(name: str) -> str:
    """A file's name fit for messages, keys and terminals: undecodable bytes and control characters escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """The whole of a regular file; Unreadable when it is larger than ``max_bytes`` or no file, OSError as usual."""
    # Non-blocking, so that a pipe that took the file's place cannot hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not a regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise Unreadable(too_large(max(status.st_size, len(data)), max_bytes))
    return data


def too_large(size: int, limit: int) -> str:
    """The reason for refusing a file of ``size`` bytes."""
    return f"it is larger than the limit ({size:,} of at most {limit:,} bytes)"


class Walk:
    """One pass over a folder in the order of names: regular files are yielded, the rest refused or counted.

    Hidden names are skipped. A link is followed when it stays in the workspace; no folder is entered twice.
    """

    def __init__(self, workspace: Path, accepts: Callable[[PurePosixPath], bool], refused: Complaints) -> None:
        self._workspace = workspace  # resolved by the caller: what lies below it needs no resolving but for links
        self._accepts = accepts
        self._refused = refused
        self._folders: set[tuple[int, int]] = set()
        self.ignored = 0

    def files(self, name: str) -> Iterator[Found]:
        """Each acceptable regular file under the folder ``name``; nothing when there is no such folder."""
        key = shown(PurePosixPath(name).as_posix())
        try:
            path = inside(self._workspace, name)
        except WorkspaceError as error:
            self._refused.add(key, plain_reason(error))
            return
        if os.path.lexists(self._workspace / name):
            yield from self._visit(key, path, 0)

    def _visit(self, key: str, path: Path, depth: int) -> Iterator[Found]:
        link = depth == 0  # the folder itself was there a moment ago: either a link or a race
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                link = True
                path = inside(self._workspace, path)
                status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                # iterdir would build the names as paths twice over; a listing is what is sorted
                names = sorted(os.listdir(path)) if self._enter(key, status, depth) else []  # noqa: PTH208
                for name in names:
                    if not name.startswith("."):
                        yield from self._visit(f"{key}/{shown(name)}", path / name, depth + 1)
                return
        except FileNotFoundError:
            if link:
                self._refused.add(key, "it is a link to nothing")
            return
        except (OSError, WorkspaceError) as error:
            self._refused.add(key, plain_reason(error))
            return
        if not self._accepts(PurePosixPath(key)):
            self.ignored += 1
        elif not stat.S_ISREG(status.st_mode):
            self._refused.add(key, "it is not a regular file")
        else:
            yield Found(key, path, status)

    def _enter(self, key: str, status: os.stat_result, depth: int) -> bool:
        identity = (status.st_dev, status.st_ino)
        if identity in self._folders:
            return False
        self._folders.add(identity)
        if depth > MAX_DEPTH:
            self._refused.add(key, f"folders are nested more than {MAX_DEPTH} deep")
            return False
        return True
