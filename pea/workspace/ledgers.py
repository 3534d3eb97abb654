"""The user's ledgers: every bank statement under ``ledgers/`` becomes accounts and transactions, each told once."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

from pea.workspace import ledgers_csv, ledgers_ofx
from pea.workspace.files import Folder, Refusal, SourceReport, Unreadable, read_bytes
from pea.workspace.files_cache import ReadCache
from pea.workspace.ledgers_books import Account, Books, Transaction
from pea.workspace.ledgers_entries import Entry, LedgerFile, Statement
from pea.workspace.ledgers_merge import merge
from pea.workspace.ledgers_rules import UNSORTED, AccountRule, Rule, RuleFile, Sorted, Sorter, read_rules
from pea.workspace.one_file import OneFile

__all__ = [
    "UNSORTED",
    "Account",
    "AccountRule",
    "Books",
    "Entry",
    "LedgerFile",
    "Ledgers",
    "Rule",
    "RuleFile",
    "Sorted",
    "Sorter",
    "Statement",
    "Transaction",
    "parse_ledger",
    "read_rules",
]

FOLDER = "ledgers"
RULES = "ledgers/rules.yaml"
READER = "ledgers 1"  # raise it when the same bytes begin to give other statements
OFX_SUFFIXES = frozenset({".ofx", ".qfx", ".qbo"})
SUFFIXES = OFX_SUFFIXES | {".csv", ".tsv"}
MAX_BYTES = 32 << 20


def parse_ledger(data: bytes, name: str) -> LedgerFile:
    """Read one statement; what it is goes by its content first. Raises Unreadable with the reason."""
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("it is empty")
    head = data[:4096].upper()
    if b"OFXHEADER" in head or b"<OFX" in head or PurePosixPath(name).suffix.lower() in OFX_SUFFIXES:
        return ledgers_ofx.read(data)
    return ledgers_csv.read(data, name)


class Ledgers:
    """Owns what was read of one workspace's ledgers; safe to use from several threads (see ``Folder``)."""

    def __init__(self, workspace: Path, *, cache: ReadCache | None = None) -> None:
        self._folder: Folder[LedgerFile] = Folder(
            workspace,
            FOLDER,
            read=lambda path: parse_ledger(read_bytes(path, max_bytes=MAX_BYTES), path.name),
            accepts=lambda path: path.suffix.lower() in SUFFIXES,
            count=lambda file: file.count,
            notes=lambda file: file.notes,
            max_file_bytes=MAX_BYTES,
            memory=None if cache is None else cache.memory(LedgerFile, reader=READER, workspace=workspace),
        )
        self._rules: OneFile[RuleFile] = OneFile(workspace, RULES, read_rules, RuleFile())
        self._books: tuple[str, Books, Sorter] = ("", Books(), Sorter())

    def refresh(self, budget_s: float | None = None) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._folder.refresh(budget_s=budget_s)
        self._rules.refresh()
        if self._books[0] != self.version:
            sorter = Sorter(self._rules.value)
            self._books = (self.version, merge(self._folder.items, sorter), sorter)

    @property
    def version(self) -> str:
        """Changes whenever a statement or a rule does."""
        return f"{self._folder.version}|{self._rules.version}"

    @property
    def books(self) -> Books:
        """All accounts and transactions."""
        return self._books[1]

    @property
    def sorter(self) -> Sorter:
        """The rules in use."""
        return self._books[2]

    def understood(self) -> tuple[Refusal, ...]:
        """How each file was understood, by path."""
        return tuple(Refusal(path, "; ".join(file.reasons)) for path, file in self._folder.items.items())

    def report(self) -> SourceReport:
        """What was read and refused; a rule file that cannot be used is refused by name, and the others serve."""
        report = self._folder.report()
        trouble = self._rules.trouble
        if not trouble:
            return report
        refused = (Refusal(RULES, trouble), *report.refused)
        return msgspec.structs.replace(report, refused=refused, refused_count=report.refused_count + 1)
