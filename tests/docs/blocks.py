"""The documentation's code blocks, and what reads each kind of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
import yaml

from pea.cli import _COMMANDS
from pea.config import load
from pea.watch.rule_file import parse_rules
from pea.workspace import customs, goals, ledgers_rules, playbooks, profile

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Block(NamedTuple):
    """A fenced block, with the one before it on the page when there is one."""

    page: str
    line: int
    language: str
    text: str
    before: str

    @property
    def place(self) -> str:
        """Where it begins."""
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> Iterator[Block]:
    """The blocks of these languages, or all."""
    for page in PAGES:
        text, before = page.read_text("utf-8"), ""
        for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            if not languages or match[1] in languages:
                yield Block(str(page.relative_to(ROOT)), line, match[1], match[2], before)
            before = match[2]


def lines(block: Block) -> Iterator[str]:
    """Its commands, without what is said beside them; in a console, what stands after the prompt."""
    prompted = any(line.startswith("$ ") for line in block.text.splitlines())
    for line in block.text.splitlines():
        if prompted and not line.startswith("$ "):
            continue
        command = re.split(r"\s{2,}#|;  ", line.removeprefix("$ "))[0].strip()
        if command:
            yield command


def accept(command: str) -> None:
    """Have the command's own parser read its words. Raises click.ClickException when it does not take them."""
    _, name, *words = [word for word in shlex.split(command) if word not in {">", "spans.jsonl"}]
    found: click.Command = import_module(_COMMANDS[name][0]).command
    while isinstance(found, click.Group) and words:
        context = click.Context(found)
        _, deeper, words = found.resolve_command(context, words)
        if deeper is None:
            raise click.UsageError(f"no such command in {command!r}")
        found = deeper
    found.make_context(name, words)


def read_settings(text: str, folder: Path) -> None:
    """What lies in pea.yaml."""
    (folder / "pea.yaml").write_text(text)
    load(folder / "pea.yaml", environ={})


def read_rules(text: str, folder: Path) -> None:
    """What lies in a file of alert rules."""
    parse_rules([(str(folder / "rules.yaml"), text)])


def read_by(reader: Callable[[Path], object], name: str) -> Callable[[str, Path], None]:
    """What lies in a file of the workspace."""

    def read(text: str, folder: Path) -> None:
        (folder / name).write_text(text)
        reader(folder / name)

    return read


OWN_FILES: dict[str, Callable[[str, Path], None]] = {
    "docs/agents/crisis.md": lambda text, _: playbooks.parse(text.encode()) and None,
    "docs/agents/culture.md": read_by(customs.own, customs.FILE),
    "docs/agents/finance.md": read_by(ledgers_rules.read_rules, "rules.yaml"),
    "docs/agents/strategy.md": read_by(goals.read_goals, goals.FILE),
    "docs/agents/travel.md": read_by(lambda path: profile.read_profile(path.parent), profile.FILE),
}


def reader_of(block: Block) -> Callable[[str, Path], None]:
    """Who reads this YAML in the product."""
    if block.page in OWN_FILES:
        return OWN_FILES[block.page]
    return read_rules if "rules" in yaml.safe_load(block.text) else read_settings
