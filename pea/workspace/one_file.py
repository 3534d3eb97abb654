"""One file of the workspace that a person edits: read when it has changed, its last good version served meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from pea.errors import WorkspaceError
from pea.workspace.files_report import Refusal, SourceReport, Unreadable, plain_reason
from pea.workspace.files_walk import inside

T = TypeVar("T")


def yaml_of(data: bytes) -> Any:
    """The plain values in a file of YAML; an empty one is an empty mapping. Raises Unreadable."""
    import yaml

    try:
        plain: Any = yaml.safe_load(data)
    # ValueError: a 30 February, which YAML takes for a date.
    except (yaml.YAMLError, RecursionError, UnicodeError, ValueError) as error:
        raise Unreadable(f"it is not YAML: {plain_reason(error)}") from error
    return {} if plain is None else plain


class OneFile(Generic[T]):
    """Owns what was read from one file. ``value`` is ``without`` while there is none, and the last good after that."""

    def __init__(self, workspace: Path, name: str, read: Callable[[Path], T], without: T) -> None:
        self.value = without
        self.there = False
        self.trouble = ""
        self._workspace = workspace
        self._name = name
        self._read = read
        self._without = without
        self._stamp: object = ()

    def refresh(self) -> None:
        """Look whether the file has changed, and read it if so; what is wrong with it is in ``trouble``."""
        try:
            path = inside(self._workspace, self._name)
            status = path.stat()
        except (OSError, WorkspaceError):
            self.value, self.there, self.trouble, self._stamp = self._without, False, "", ()
            return
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        self._stamp, self.there = stamp, True
        try:
            self.value, self.trouble = self._read(path), ""
        except (OSError, Unreadable) as error:
            self.trouble = plain_reason(error)

    @property
    def version(self) -> str:
        """Changes whenever the file does."""
        return repr(self._stamp)

    def report(self) -> SourceReport:
        """Read, or refused with the reason."""
        if self.trouble:
            return SourceReport(refused=(Refusal(self._name, self.trouble),), refused_count=1)
        return SourceReport(read=int(self.there), items=int(self.there))
