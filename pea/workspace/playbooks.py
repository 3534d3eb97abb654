"""Playbooks for crises: those that ship with PEA, and the user's own in ``playbooks/*.yaml``, which come first."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from pea.workspace.files import Folder, SourceReport, Unreadable, read_bytes
from pea.workspace.one_file import yaml_of

FOLDER = "playbooks"
MAX_BYTES = 1 << 20
MAX_FILES = 200
_DURATION = re.compile(r"(\d{1,5})(m|h|d)")
_MINUTES = {"m": 1, "h": 60, "d": 1440}

Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Words = Annotated[tuple[Word, ...], msgspec.Meta(max_length=200)]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,5}[mhd]$")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who can own an action: named people before those whose title holds a word; ``deputy`` is another role."""

    titles: Words = ()
    people: Words = ()
    deputy: str = ""


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to do; ``takes`` is the least, the usual and the most time."""

    id: Word
    what: Text
    role: Word
    takes: tuple[Duration, Duration, Duration]
    after: Words = ()
    critical: bool = False

    @property
    def minutes(self) -> tuple[int, int, int]:
        """The three times in minutes."""
        least, usual, most = map(minutes, self.takes)
        return least, usual, most


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit that others set; empty ``countries`` is everywhere, ``EU`` stands for the EU and the EEA."""

    what: Text
    within: Duration
    countries: Annotated[tuple[Country, ...], msgspec.Meta(max_length=250)] = ()


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a letter to an audience says in another language; an empty field says nothing."""

    facts: Text = ""
    regret: Text = ""
    next: Text = ""


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to tell: people whose title, firm or category holds a word, named ``people``, or (``own``) colleagues.

    ``languages`` has the words in other languages, by ISO 639-1 code.
    """

    who: Word
    within: Duration
    facts: Text
    titles: Words = ()
    people: Words = ()
    own: bool = False
    regret: Text = ""
    next: Text = ""
    languages: Annotated[dict[str, Wording], msgspec.Meta(max_length=50)] = {}


class Playbook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of crisis; the fields are explained at the top of ``playbooks.yaml`` beside this module."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,60}$")]
    title: Text
    severity: Share
    contain_within: Duration
    actions: Annotated[tuple[Action, ...], msgspec.Meta(min_length=1, max_length=60)]
    signs: Words = ()
    works: Share = 0.7
    goal: Text = ""
    principles: Words = ()
    avoid: Words = ()
    clocks: Annotated[tuple[Clock, ...], msgspec.Meta(max_length=50)] = ()
    audiences: Annotated[tuple[Audience, ...], msgspec.Meta(max_length=50)] = ()
    resources: Words = ()
    cost_per_hour: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 0.0
    titles: Annotated[dict[str, Text], msgspec.Meta(max_length=50)] = {}  # in other languages, by ISO 639-1 code

    def order(self) -> tuple[Action, ...]:
        """The actions so that each comes after what it waits for; Unreadable when they wait for each other."""
        left, done, found = list(self.actions), set[str](), list[Action]()
        while left:
            ready = next((one for one in left if done >= set(one.after)), None)
            if ready is None:
                raise Unreadable(f"{self.name}: {', '.join(one.id for one in left)} wait for each other, or for nobody")
            left.remove(ready)
            done.add(ready.id)
            found.append(ready)
        return tuple(found)


class PlaybookFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    roles: dict[str, Role] = {}
    playbooks: Annotated[tuple[Playbook, ...], msgspec.Meta(max_length=200)] = ()


class Shelf(msgspec.Struct, frozen=True):
    """The playbooks and roles in use, by name; ``own`` are those that the user wrote."""

    playbooks: dict[str, Playbook]
    roles: dict[str, Role]
    own: frozenset[str] = frozenset()


class Playbooks:
    """Owns what was read of one workspace's playbooks; safe to use from several threads (see ``Folder``)."""

    def __init__(self, workspace: Path) -> None:
        self._folder: Folder[PlaybookFile] = Folder(
            workspace,
            FOLDER,
            read=lambda path: parse(read_bytes(path, max_bytes=MAX_BYTES)),
            accepts=lambda path: path.suffix.lower() in (".yaml", ".yml"),
            count=lambda file: len(file.playbooks),
            max_files=MAX_FILES,
            max_file_bytes=MAX_BYTES,
        )
        self._shelf: Shelf | None = None

    def refresh(self, budget_s: float | None = None) -> None:
        """Read what is new. Raises WorkspaceError without a workspace."""
        if self._folder.refresh(budget_s=budget_s) or self._shelf is None:
            self._shelf = _shelf(self._folder.items.values())

    @property
    def shelf(self) -> Shelf:
        """The playbooks in use; the shipped ones before the first refresh."""
        return self._shelf or _shelf(())

    @property
    def version(self) -> str:
        """Changes whenever a file does."""
        return self._folder.version

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self._folder.report()


def parse(data: bytes) -> PlaybookFile:
    """A file of playbooks. Raises Unreadable that names the field or the actions that wait for each other."""
    try:
        file = msgspec.convert(yaml_of(data), PlaybookFile)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(f"its playbooks cannot be used: {error}") from error
    for playbook in file.playbooks:
        _check(playbook)
    return file


def minutes(text: str) -> int:
    """A duration like ``90m``, ``2h`` or ``3d`` in minutes."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Unreadable(f"{text!r} is no duration: write 15m, 2h or 1d")
    return int(match[1]) * _MINUTES[match[2]]


@functools.lru_cache(maxsize=1)
def shipped() -> PlaybookFile:
    """The playbooks that ship with PEA."""
    return parse(resources.files("pea.workspace").joinpath("playbooks.yaml").read_bytes())


def _check(playbook: Playbook) -> None:
    ids = [one.id for one in playbook.actions]
    twice = {one for one in ids if ids.count(one) > 1}
    if twice:
        raise Unreadable(f"{playbook.name}: {', '.join(sorted(twice))} stands twice among its actions")
    for action in playbook.actions:
        least, usual, most = action.minutes
        if not least <= usual <= most:
            raise Unreadable(f"{playbook.name}: {action.id} takes {', '.join(action.takes)}, which do not rise")
    playbook.order()


def _shelf(files: Iterable[PlaybookFile]) -> Shelf:
    base = shipped()
    playbooks = {one.name: one for one in base.playbooks}
    roles = dict(base.roles)
    own = set[str]()
    for file in files:
        roles |= file.roles
        playbooks |= {one.name: one for one in file.playbooks}
        own |= {one.name for one in file.playbooks}
    return Shelf(playbooks, roles, frozenset(own))
