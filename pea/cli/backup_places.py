"""Where a backup lies: a folder, or a bucket of S3, Google Cloud Storage or Azure, with the same four verbs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pea.errors import ConfigError, MissingExtra, PeaError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CHUNK = 8 << 20  # bytes held in memory for each of `_AT_ONCE` transfers
_AT_ONCE = 4
_PARTS = 9_000  # S3 takes 10,000 of one object
_BUCKET = re.compile(r"(s3|gs|az)://[^/?#@]+(/[^?#]*)?", re.ASCII)


class Place(Protocol):
    """Names are paths below the place with ``/``; each method raises PeaError with the place and what to do."""

    def put(self, name: str, source: Path) -> None:
        """Store a file whole or not at all."""

    def get(self, name: str, size: int) -> Iterator[bytes]:
        """The ``size`` bytes of what is stored, in pieces of at most `CHUNK`."""

    def sizes(self) -> dict[str, int]:
        """What there is, with sizes in bytes."""

    def drop(self, names: list[str]) -> None:
        """Delete these, one after the other."""


def place_at(where: str) -> Place:
    """The folder or bucket of this name. Raises ConfigError for what is neither."""
    if "://" not in where:
        return Folder(Path(where).expanduser())
    if _BUCKET.fullmatch(where) is None:
        raise ConfigError(
            "is no place for backups", where=where, fix="write a folder, s3://BUCKET/PREFIX, gs://… or az://…"
        )
    return Bucket(where)


class Folder:
    """A folder of this machine; a file gets its name when all of it is on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, source: Path) -> None:
        """Write it under another name first, to the disk, so that nobody meets half of it."""
        target = self._root / name
        part = target.with_name(f"{target.name}.part")
        with _told(str(target)):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with source.open("rb") as read, part.open("wb") as write:
                    os.fchmod(write.fileno(), 0o600)
                    while piece := read.read(CHUNK):
                        write.write(piece)
                    write.flush()
                    os.fsync(write.fileno())
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)

    def get(self, name: str, size: int) -> Iterator[bytes]:
        """Read it piece by piece; fewer bytes come when the file is shorter."""
        with _told(str(self._root / name)), (self._root / name).open("rb") as file:
            while size > 0 and (piece := file.read(min(CHUNK, size))):
                size -= len(piece)
                yield piece

    def sizes(self) -> dict[str, int]:
        """Every file below the folder but those that are being written."""
        with _told(str(self._root)):
            files = [path for path in self._root.rglob("*") if path.is_file() and path.suffix != ".part"]
            return {path.relative_to(self._root).as_posix(): path.stat().st_size for path in files}

    def drop(self, names: list[str]) -> None:
        """Delete the files, and the folders that are empty then."""
        for name in names:
            path = self._root / name
            with _told(str(path)):
                path.unlink(missing_ok=True)
        for folder in sorted({parent for name in names for parent in (self._root / name).parents}, reverse=True):
            if folder.is_relative_to(self._root) and folder != self._root and not any(folder.iterdir()):
                folder.rmdir()


class Bucket:
    """Objects below a prefix; credentials and endpoint come from the environment (``AWS_ENDPOINT_URL`` …)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._store = _connect(self._url)

    def put(self, name: str, source: Path) -> None:
        """Upload it in parts from the disk; the object appears when the last one is there."""
        import obstore

        with _told(f"{self._url}/{name}"):
            chunk = max(CHUNK, -(-source.stat().st_size // _PARTS))
            obstore.put(self._store, name, source, chunk_size=chunk, max_concurrency=_AT_ONCE)

    def get(self, name: str, size: int) -> Iterator[bytes]:
        """Ask for it range by range: each is asked again by itself when the network fails."""
        import obstore

        for start in range(0, size, CHUNK):
            with _told(f"{self._url}/{name}"):
                yield bytes(obstore.get_range(self._store, name, start=start, end=min(size, start + CHUNK)))

    def sizes(self) -> dict[str, int]:
        """List the objects below the prefix, page by page."""
        import obstore

        with _told(self._url):
            return {one["path"]: one["size"] for some in obstore.list(self._store) for one in some}

    def drop(self, names: list[str]) -> None:
        """Delete one object after the other: the order counts."""
        import obstore

        for name in names:
            with _told(f"{self._url}/{name}"):
                obstore.delete(self._store, name)


def _connect(url: str) -> ObjectStore:
    try:
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise MissingExtra("object storage needs obstore", where=url, fix="pip install 'pea[backup]'") from error
    client: ClientConfig = {"timeout": timedelta(minutes=2), "connect_timeout": timedelta(seconds=10)}
    retry: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(minutes=2)}
    with _told(url):
        if url.startswith("gs:"):
            return GCSStore.from_url(url, client_options=client, retry_config=retry)
        if url.startswith("az:"):
            return AzureStore.from_url(url, client_options=client, retry_config=retry)
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
        client["allow_http"] = endpoint.startswith("http://")
        return S3Store.from_url(url, client_options=client, retry_config=retry)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say what the disk or the storage answered, with the place and what to do about it."""
    try:
        yield
    except FileNotFoundError as error:  # obstore's NotFoundError is one too
        raise ConfigError("there is no such thing", where=where, fix="look at the name; a bucket must exist") from error
    except PermissionError as error:
        raise ConfigError("may not be used", where=where, fix="look at its rights, and at your credentials") from error
    except OSError as error:
        raise PeaError(f"failed: {error.strerror or error}", where=where) from error
    except Exception as error:  # obstore's errors share no parent with others, and it may not be installed
        if not type(error).__module__.startswith("obstore"):
            raise
        raise _refused(error, where) from error


def _refused(error: Exception, where: str) -> PeaError:
    first = str(error).partition("\n")[0].partition(": <?xml")[0].strip()[:400]
    if type(error).__name__ in {"PermissionDeniedError", "UnauthenticatedError"}:
        return ConfigError(
            f"refused: {first}", where=where, fix="give credentials in the environment: AWS_ACCESS_KEY_ID …"
        )
    if type(error).__name__ == "NotFoundError":
        return ConfigError(f"is not there: {first}", where=where, fix="look at the name; the bucket must exist")
    return PeaError(
        f"failed: {first}",
        where=where,
        fix="look at the name, at endpoint, account and region in the environment, and the network",
    )
