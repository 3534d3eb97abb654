"""The tokens file: JSON that only its owner may read, replaced as a whole so that no reader sees half of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pea.config import Settings
from pea.errors import ConfigError
from pea.service.access.scopes import GRANTED
from pea.service.access.tokens import MAX_TOKENS, Token

NAME = "tokens.json"
MAX_BYTES = 1 << 20

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Stamp = tuple[int, ...]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    tokens: Annotated[tuple[Token, ...], msgspec.Meta(max_length=MAX_TOKENS)]


def token_path(settings: Settings) -> Path | None:
    """Where the tokens are; None when neither a file nor a state folder is configured."""
    if settings.access.tokens:
        return Path(settings.access.tokens).expanduser()
    return Path(settings.state) / NAME if settings.state else None


def stamp(path: Path) -> Stamp | None:
    """What tells one version of the file, or of its mode, from another; None when there is no file.

    Raises ConfigError when that cannot be found out.
    """
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    return about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino


def read_tokens(path: Path) -> dict[str, Token]:
    """The tokens by id; none when there is no file.

    Raises ConfigError when others than the owner may read or write the file, or it is not what `write_tokens` writes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _check_owner(path, os.fstat(descriptor))  # of what was opened, whatever the path leads to by now
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES:,} bytes", where=str(path))
    try:
        content = msgspec.json.decode(data, type=_Content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fix = "restore it, or delete it and add the tokens again"
        raise ConfigError(f"is not a tokens file: {error}", where=str(path), fix=fix) from None
    found = {token.id: token for token in content.tokens}
    for token in content.tokens:
        if not token.scopes or not set(token.scopes) <= set(GRANTED) or token.created.tzinfo is None:
            raise ConfigError(f"token {token.id!a} has no usable scopes or times", where=str(path))
        if token.expires is not None and token.expires.tzinfo is None:
            raise ConfigError(f"token {token.id!a} expires at a time without a zone", where=str(path))
    if len(found) != len(content.tokens):
        raise ConfigError("two tokens have the same id", where=str(path))
    return found


def write_tokens(path: Path, tokens: dict[str, Token]) -> None:
    """Replace the file, readable by its owner alone, on disk before this returns. Raises ConfigError."""
    if len(tokens) > MAX_TOKENS:
        raise ConfigError(f"{MAX_TOKENS:,} tokens are the most", where=str(path), fix="revoke some: pea tokens revoke")
    data = msgspec.json.format(msgspec.json.encode(_Content(1, tuple(tokens.values()))), indent=1)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


@contextlib.contextmanager
def editing(path: Path) -> Iterator[dict[str, Token]]:
    """The tokens to change, written when the block ends; a second command waits for the first. Raises ConfigError."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error
    with os.fdopen(descriptor) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        tokens = read_tokens(path)
        yield tokens
        write_tokens(path, tokens)


def _check_owner(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise ConfigError("is not a file", where=str(path))
    if about.st_mode & _OTHERS:
        mode = f"{stat.S_IMODE(about.st_mode):04o}"
        raise ConfigError(f"others may read or write it (mode {mode})", where=str(path), fix=f"chmod 600 {path}")
    if about.st_uid not in (os.geteuid(), 0):
        raise ConfigError("belongs to another user", where=str(path), fix=f"chown it to the user who runs PEA: {path}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot be read: {error.strerror}", where=str(path))
