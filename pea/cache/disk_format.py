"""diskcache's storage without pickle: keys are text, values are bytes, and nothing else is ever read or written.

diskcache unpickles what its database says is pickled: whoever can write there runs code here (CVE-2025-69872, without a
fixed release). A row says so in its mode and in its key's ``raw`` flag: both ways are shut, and a row cannot name a
file outside the cache's directory, neither to read nor to remove.
"""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

from diskcache import Disk

MODE_RAW, MODE_BINARY = 1, 2
IN_DATABASE = 32 << 10  # bytes; longer values have files of their own


class Poisoned(ValueError):
    """A row of the database is not one that this tier writes."""


class BytesDisk(Disk):  # type: ignore[misc]  # diskcache has no types
    """Raises Poisoned for every row that `put` and `store` cannot have written."""

    def put(self, key: Any) -> tuple[str, bool]:
        """The key as it stands in the database."""
        if type(key) is not str:
            raise TypeError(f"a cache key is text, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """The key that a row has."""
        if type(key) is not str or raw != 1:
            raise Poisoned("a key that is not text")
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, str | None, Any]:  # noqa: ARG002, FBT001
        """Size, mode, file name and database value of ``value``."""
        if type(value) is not bytes or read:
            raise TypeError(f"a cached record is bytes, not {type(value).__name__}")
        if len(value) < IN_DATABASE:
            return 0, MODE_RAW, None, sqlite3.Binary(value)
        filename, path = self.filename()
        self._write(path, io.BytesIO(value), "xb")
        return len(value), MODE_BINARY, filename, None

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> bytes:  # noqa: FBT001
        """The value of a row."""
        if mode == MODE_RAW and type(value) is bytes and not read:
            return value
        if mode == MODE_BINARY and type(filename) is str and value is None and not read:
            with self._inside(filename).open("rb") as file:
                return file.read()
        raise Poisoned("a value that is not bytes")

    def remove(self, file_path: Any) -> None:
        """Remove a value's file."""
        self._inside(file_path)
        super().remove(file_path)

    def _inside(self, filename: Any) -> Path:
        home = Path(self._directory).resolve()
        path = (home / str(filename)).resolve()
        if path.suffix != ".val" or not path.is_relative_to(home):
            raise Poisoned("a file that is not one of the cache's")
        return path
