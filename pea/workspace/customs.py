"""How people of a country or language like to be addressed: a table that ships, and the user's own over it."""

from __future__ import annotations

import functools
from datetime import time
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.files_walk import read_bytes
from pea.workspace.one_file import yaml_of

FILE = "customs.yaml"
MAX_BYTES = 1 << 20

Text = Annotated[str, msgspec.Meta(max_length=500)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$")]
Stretch = Annotated[str, msgspec.Meta(pattern=r"^(|([01]?[0-9]|2[0-3]):[0-5][0-9]-([01]?[0-9]|2[0-3]):[0-5][0-9])$")]
Form = Literal["first", "surname", "title"]


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A country's habits; the fields are explained at the top of ``customs.yaml`` beside this module."""

    address: Form = "surname"
    direct: bool = True
    apology: Literal["first", "facts"] = "facts"
    opens: Clock = "09:00"
    closes: Clock = "17:00"
    lunch: Stretch = ""
    note: Text = ""
    language: Annotated[str, msgspec.Meta(max_length=10)] = ""  # to write in; empty: the most spoken official one

    @property
    def hours(self) -> tuple[time, time]:
        """When an office opens and closes."""
        return _clock(self.opens), _clock(self.closes)

    @property
    def quiet(self) -> tuple[time, time] | None:
        """When it is at lunch."""
        if not self.lunch:
            return None
        first, _, last = self.lunch.partition("-")
        return _clock(first), _clock(last)


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What letters in a language begin and end with."""

    formal: Text
    informal: Text
    closing: Text
    closing_formal: Text
    morning: Text = ""
    day: Text = ""
    evening: Text = ""
    you: Text = ""
    family_first: bool = False


class Customs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both tables, by ISO 3166-1 alpha-2 code and by ISO 639-1 code."""

    countries: Annotated[dict[str, Custom], msgspec.Meta(max_length=300)] = {}
    languages: Annotated[dict[str, Phrases], msgspec.Meta(max_length=300)] = {}

    def custom(self, country: str) -> tuple[Custom, bool]:
        """A country's customs, and whether they are known; the defaults are the cautious ones."""
        found = self.countries.get(country)
        return (found, True) if found is not None else (Custom(), False)

    def phrases(self, language: str) -> Phrases:
        """What letters in a language begin and end with; English where it is not known."""
        return self.languages.get(language) or self.languages["en"]


class _Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    countries: dict[str, dict[str, Any]] = {}
    languages: dict[str, dict[str, Any]] = {}


@functools.lru_cache(maxsize=1)
def shipped() -> Customs:
    """The table that ships with PEA."""
    return msgspec.convert(_shipped(), Customs)


def own(path: Path) -> Customs:
    """The shipped table with a user's file laid over it, field by field.

    Raises Unreadable that names the field, and OSError as usual.
    """
    try:
        told = msgspec.convert(yaml_of(read_bytes(path, max_bytes=MAX_BYTES)), _Own)
        under = _shipped()
        for table, over in (("countries", told.countries), ("languages", told.languages)):
            for key, fields in over.items():
                under[table][key] = {**under[table].get(key, {}), **fields}
        return msgspec.convert(under, Customs)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(f"its customs cannot be used: {error}") from error


def _shipped() -> Any:
    return yaml_of(resources.files("pea.workspace").joinpath("customs.yaml").read_bytes())


def _clock(text: str) -> time:
    return time.fromisoformat(text.zfill(5))
