"""The user's goals: ``goals.yaml`` in the workspace, which says what time and money are meant for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.files_walk import read_bytes
from pea.workspace.one_file import OneFile, yaml_of

FILE = "goals.yaml"
MAX_BYTES = 1 << 20

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Words = Annotated[tuple[Text, ...], msgspec.Meta(max_length=200)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
Amount = Annotated[Decimal, msgspec.Meta()]


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One goal and how to recognise what serves it.

    ``weight`` is its importance beside the others; ``hours`` the hours a week meant for it (without them, its share of
    the week goes by weight). Meetings serve it by ``words`` in their title or calendar, or by ``people`` (addresses or
    domains); payments by ``categories`` or ``words``. ``budget`` is what may be spent on it a month.
    """

    name: Text
    weight: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 1.0
    hours: Annotated[float, msgspec.Meta(ge=0, le=168)] | None = None
    by: date | None = None
    words: Words = ()
    people: Words = ()
    categories: Words = ()
    budget: dict[Currency, Amount] = {}


class Goals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All goals; ``week_hours`` are the working hours of a week, of which those without a target share what is left."""

    goals: Annotated[tuple[Goal, ...], msgspec.Meta(max_length=100)] = ()
    week_hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 40.0
    ignore: Words = ()  # words of what is no work: it counts neither for nor against a goal


def read_goals(path: Path) -> Goals:
    """The goals in a file. Raises Unreadable that names the field, OSError as usual."""
    try:
        goals = msgspec.convert(yaml_of(read_bytes(path, max_bytes=MAX_BYTES)), Goals, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(f"its goals cannot be used: {error}") from error
    names = [goal.name.casefold() for goal in goals.goals]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unreadable(f"goals of one name: {', '.join(twice)}")
    return goals


def goals_of(workspace: Path) -> OneFile[Goals]:
    """The goals of a workspace, read when the file has changed."""
    return OneFile(workspace, FILE, read_goals, Goals())
