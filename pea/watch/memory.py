"""What the watcher remembers over a restart: alerts, silences, what was told and what is not yet; one JSON file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from pea.watch.baseline_rule import Learners
from pea.watch.book import BookState
from pea.watch.notify import OutboxState, PlannerState

VERSION = 1
MAX_BYTES = 64 << 20
BASELINES = "baselines.bin"  # beside the alerts
MAX_BASELINES_BYTES = 512 << 20

_log = logging.getLogger(__name__)


class Memory(msgspec.Struct):
    """All of it."""

    version: int = VERSION
    book: BookState = msgspec.field(default_factory=BookState)
    planner: PlannerState = msgspec.field(default_factory=PlannerState)
    outbox: OutboxState = msgspec.field(default_factory=OutboxState)


def recall(path: Path | None) -> Memory:
    """What was remembered; nothing when there is no file, and nothing but a warning when it cannot be read."""
    if path is None or not path.exists():
        return Memory()
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(MAX_BYTES), type=Memory)
        if found.version != VERSION:
            raise ValueError(f"it has version {found.version}")
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        _log.warning("the alerts in %s cannot be read (%s): they begin anew", path, error)
        return Memory()
    return found


def recall_baselines(path: Path | None, learners: Learners) -> None:
    """Let ``learners`` go on from the file beside ``path``; a warning when it cannot be read."""
    file = None if path is None else path.with_name(BASELINES)
    if file is None or not file.exists():
        return
    try:
        with file.open("rb") as held:
            learners.restore(held.read(MAX_BASELINES_BYTES))
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        _log.warning("the baselines in %s cannot be read (%s): they are learned anew", file, error)


def remember(path: Path, data: bytes) -> None:
    """Write an encoded memory, all or nothing; a disk that is full is logged, and the old file stays."""
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _log.warning("%s could not be saved: %s", path, error)
