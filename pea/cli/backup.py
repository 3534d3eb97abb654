"""Backups that are whole or not there: consistent copies of PEA's files, and last a manifest with sizes and SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec

from pea.cli.backup_places import Place, place_at
from pea.errors import ConfigError, Conflict, PeaError
from pea.version import __version__

# Caches and indexes are left out: they are made again from the user's own files.
DATABASES = (
    "journal/journal.db",
    "chronicle/spans.db",
    "activity.sqlite",
    "memory.sqlite",
    "feedback.sqlite",
    "schedule.db",
    "connect/outbox.db",
    "llm.sqlite",
)
FILES = ("tokens.json", "alerts.json", "baselines.bin", "objectives.json", "audit/audit-*.jsonl", "connect/*.json")
MANIFEST = "manifest.json"
_MOST_FILES = 10_000
_MOST_BYTES = 4 << 20  # of a manifest
_STAMP = "%Y%m%dT%H%M%S.%fZ"


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup consists of; it is written last, so where it stands all of the rest does."""

    version: Literal[1]
    pea: str
    at: str
    files: Annotated[tuple[Kept, ...], msgspec.Meta(min_length=1, max_length=_MOST_FILES)]


def back_up(state: Path, where: str, now: datetime, keep: int | None = None) -> tuple[str, Manifest]:
    """Copy what cannot be made again to ``where/TIME/``, also while it is in use; the name it got, and what is there.

    One file at a time is copied beside the state and sent from there, so no more is needed than room for the largest.
    With ``keep``, whole backups that are older than the newest so many are deleted afterwards.
    """
    found = list(_found(state))
    if not found:
        raise ConfigError("there is nothing to back up", where=str(state), fix="give --state the folder of `pea serve`")
    place = place_at(where)
    stamp = now.astimezone(UTC).strftime(_STAMP)
    kept = []
    with _beside(state) as folder:
        copy = folder / "copy"
        for name in found:
            _copy(state / name, copy, database=name in DATABASES)
            kept.append(_kept(name, copy))
            place.put(f"{stamp}/{name}", copy)
        manifest = Manifest(1, __version__, now.astimezone(UTC).isoformat(), tuple(kept))
        copy.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        place.put(f"{stamp}/{MANIFEST}", copy)
    if keep is not None:
        _prune(place, keep)
    return stamp, manifest


def restore(where: str, state: Path) -> Manifest:
    """Bring the newest whole backup (or the one that ``where`` names) into a state folder that has none of its files.

    Nothing is put there before every file has come with its size and sum, and every database is sound.
    """
    place = place_at(where)
    prefix, size = _newest(place, where)
    manifest = _manifest(b"".join(place.get(f"{prefix}{MANIFEST}", size)), where)
    _refuse_to_overwrite(state, manifest)
    with _beside(state) as folder:
        for file in manifest.files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(place, f"{prefix}{file.name}", file, target)
            if file.name in DATABASES:
                _check(target, file.name)
        _move(folder, state, manifest)
    return manifest


def _found(state: Path) -> Iterator[str]:
    yield from (name for name in DATABASES if (state / name).is_file())
    for pattern in FILES:
        yield from sorted(path.relative_to(state).as_posix() for path in state.glob(pattern) if path.is_file())


def _known(name: str) -> bool:
    return name in DATABASES or (".." not in name and any(PurePosixPath("/", name).match(f"/{one}") for one in FILES))


@contextlib.contextmanager
def _beside(state: Path) -> Iterator[Path]:
    """A folder on the state's own disk: what is copied may be larger than what the one for temporary files holds."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=state) as folder:
            yield Path(folder)
    except OSError as error:
        raise PeaError(f"cannot be written: {error.strerror or error}", where=str(state)) from error


def _copy(source: Path, copy: Path, *, database: bool) -> None:
    copy.unlink(missing_ok=True)
    if not database:
        shutil.copyfile(source, copy)
        return
    try:
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
        with contextlib.closing(reading), contextlib.closing(sqlite3.connect(copy)) as writing:
            reading.backup(writing, pages=1_024)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise PeaError(f"cannot be read: {error}", where=str(source)) from error


def _kept(name: str, copy: Path) -> Kept:
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(name, copy.stat().st_size, digest)


def _newest(place: Place, where: str) -> tuple[str, int]:
    sizes = place.sizes()
    whole = [name for name in sizes if name == MANIFEST or (name.count("/") == 1 and name.endswith(f"/{MANIFEST}"))]
    if not whole:
        raise ConfigError("there is no whole backup", where=where, fix="name what `pea export --backup` was given")
    newest = max(whole, key=lambda name: (name == MANIFEST, name))
    if sizes[newest] > _MOST_BYTES:
        raise ConfigError(f"is larger than {_MOST_BYTES:,} bytes", where=f"{where}/{newest}", fix="take another backup")
    return newest.removesuffix(MANIFEST), sizes[newest]


def _manifest(data: bytes, where: str) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the manifest cannot be read: {error}", where=where, fix="take another backup") from error
    names = [file.name for file in manifest.files]
    strange = [name for name in names if not _known(name)]
    if strange or len(set(names)) != len(names):
        raise ConfigError(
            f"the manifest names what no backup has: {strange[0] if strange else 'one file twice'!r}",
            where=where,
            fix="take another backup; this one was written by something else, or by a newer PEA",
        )
    return manifest


def _refuse_to_overwrite(state: Path, manifest: Manifest) -> None:
    for file in manifest.files:
        # SQLite would play a log that was left there into the restored database.
        for path in (state / f"{file.name}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")):
            if path.exists():
                raise Conflict(
                    "is there already, and nothing is overwritten",
                    where=str(path),
                    fix="stop the service and move it away, or give --state another folder",
                )


def _fetch(place: Place, name: str, file: Kept, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as write:
        os.fchmod(write.fileno(), 0o600)
        for piece in place.get(name, file.size):
            digest.update(piece)
            size += len(piece)
            write.write(piece)
        write.flush()
        os.fsync(write.fileno())
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        raise PeaError(
            "is not what was backed up", where=name, fix="take an older backup: give its own name to --restore"
        )


def _check(path: Path, name: str) -> None:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            answer = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise PeaError(f"the database is damaged: {answer}", where=name, fix="take an older backup")


def _move(folder: Path, state: Path, manifest: Manifest) -> None:
    moved: list[Path] = []
    try:
        for file in manifest.files:
            target = state / file.name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / file.name).rename(target)
            moved.append(target)
    except OSError:
        for target in moved:  # all or nothing
            target.unlink(missing_ok=True)
        raise


def _prune(place: Place, keep: int) -> None:
    names = list(place.sizes())
    whole = sorted(name.partition("/")[0] for name in names if name.count("/") == 1 and name.endswith(f"/{MANIFEST}"))
    for stamp in whole[:-keep]:
        place.drop([f"{stamp}/{MANIFEST}"])  # first: what is left of it is no backup any more
        place.drop([name for name in names if name.startswith(f"{stamp}/") and name != f"{stamp}/{MANIFEST}"])
