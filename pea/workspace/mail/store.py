"""All mail of a workspace in one place: every mailbox file under ``mail/``, Maildir++ folders with a dot included."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from pea.workspace.files import Done, Folder, Memory, SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail.boxes import MAX_MBOX_BYTES, READER_VERSION, MailReader, accepts
from pea.workspace.mail.message import Mailbox, Message
from pea.workspace.mail.threads import unique
from pea.workspace.shared import Shared

MAX_FOLDERS = 500
MAX_MESSAGES = 100_000
MAX_TOTAL_BYTES = 64 << 30


class Remembers(Protocol):
    """Gives each folder its memory between processes; None where there is none."""

    def __call__(self, folder: str, /) -> Memory[Mailbox] | None:
        """The memory for the folder of this name."""


class MailStore:
    """Reads the mail folder incrementally and serves each mail once, with the file it came from."""

    def __init__(
        self,
        workspace: Path,
        *,
        name: str = "mail",
        remembers: Remembers = lambda _folder: None,
        cache: ReadCache | None = None,
    ) -> None:
        self._cache = cache
        self._workspace = workspace
        self._name = name
        self._remembers = remembers
        self._reader = MailReader()
        self._folders: dict[str, Folder[Mailbox]] = {}
        self._lock = threading.Lock()
        self._messages: tuple[Message, ...] | None = None
        self._places: Mapping[str, str] = {}

    def refresh(self, *, budget_s: float | None = None, done: Done | None = None) -> bool:
        """Read what is new, for at most about ``budget_s`` seconds; whether anything changed.

        Raises WorkspaceError when the workspace is no folder.
        """
        with self._lock:
            return self._refresh(budget_s, done)

    def _refresh(self, budget_s: float | None, done: Done | None) -> bool:
        until = None if budget_s is None else time.monotonic() + budget_s
        names = mail_folders(self._workspace, self._name)
        changed = False
        for name in [gone for gone in self._folders if gone not in names]:
            del self._folders[name]
            changed = True
        for name in names:
            folder = self._folders.get(name) or self._open(name)
            left = None if until is None else max(0.0, until - time.monotonic())
            changed = bool(folder.refresh(budget_s=left, done=done)) or changed
        if changed or self._messages is None:
            self._collect()
        return changed

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every mail once, newest last in each file."""
        return self._messages or ()

    def place(self, message_id: str) -> str:
        """The file a mail was read from, relative to the workspace."""
        return self._places.get(message_id.partition("#")[0], "")

    @property
    def version(self) -> str:
        """Changes whenever what was read does; see `Folder.version`."""
        return "+".join(f"{name}:{folder.version}" for name, folder in self._folders.items())

    def report(self) -> SourceReport:
        """What was read and refused, all folders together."""
        first, *others = [folder.report() for folder in self._folders.values()] or [SourceReport()]
        return first.merged(*others)

    def close(self) -> None:
        """Close what remembers the mail between processes."""
        if self._cache is not None:
            self._cache.close()

    def _open(self, name: str) -> Folder[Mailbox]:
        folder: Folder[Mailbox] = Folder(
            self._workspace,
            name,
            read=self._reader,
            accepts=accepts,
            count=lambda box: len(box.messages),
            notes=_notes,
            max_file_bytes=MAX_MBOX_BYTES,
            max_total_bytes=MAX_TOTAL_BYTES,
            memory=self._remembers(name),
        )
        self._folders[name] = folder
        return folder

    def _collect(self) -> None:
        places: dict[str, str] = {}
        every: list[Message] = []
        for folder in self._folders.values():
            for path, box in folder.items.items():
                for message in box.messages:
                    places.setdefault(message.id, path)
                every.extend(box.messages)
        self._messages = tuple(unique(every)[-MAX_MESSAGES:])
        self._places = places


def mail_folders(workspace: Path, name: str = "mail") -> list[str]:
    """The folders that hold mail, relative to the workspace.

    Maildir++ keeps subfolders as ``.Sent/cur``: hidden names, which a walk passes over, but mail.
    """
    root = workspace / name
    found = [name]
    for place in (root, *_subfolders(root)):
        hidden = sorted(place.glob(".[!.]*"))[:MAX_FOLDERS]
        found += [
            folder.relative_to(workspace).as_posix()
            for folder in hidden
            if (folder / "cur").is_dir() or (folder / "new").is_dir()
        ]
    return found


def _subfolders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))[:MAX_FOLDERS]
    except OSError:  # no mail folder, or one that is closed to us: the walk says so
        return []


def _notes(box: Mailbox) -> Iterator[str]:
    yield from box.notes
    for message in box.messages:
        for note in message.notes:
            if "encrypted" in note or "cannot be" in note or "only its" in note:
                yield f"{message.subject[:60] or 'a mail without subject'}: {note}"


def _kept(workspace: Path, state: Path | None) -> MailStore:
    """The mail of a workspace, remembered in ``state`` between processes."""
    if state is None:
        return MailStore(workspace)
    cache, reader = ReadCache(state / "mail.sqlite"), f"mail {READER_VERSION}"
    return MailStore(
        workspace, remembers=lambda _folder: cache.memory(Mailbox, reader=reader, workspace=workspace), cache=cache
    )


# What the agents of one process read mail through.
SHARED: Shared[MailStore] = Shared(_kept, MailStore.close)
