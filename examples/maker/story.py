"""The story that the example tells: its people, and the tables the other makers read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from email.headerregistry import Address
from pathlib import Path
from typing import Any

STORY = Path(__file__).parent.parent / "story"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the story; ``card`` names the contacts file that holds them, if any."""

    key: str
    name: str
    email: str
    private: str = ""
    org: str = ""
    title: str = ""
    phone: str = ""
    birthday: str = ""
    city: str = ""
    card: str = ""

    @property
    def domain(self) -> str:
        """Where this person's mail comes from, which ends its message ids."""
        return self.email.partition("@")[2]

    @property
    def address(self) -> Address:
        """The person as a mail address."""
        return Address(self.name, addr_spec=self.email)


Cast = dict[str, Person]


def table(name: str) -> dict[str, Any]:
    """One file of the story."""
    return tomllib.loads((STORY / name).read_text(encoding="utf-8"))


def cast() -> Cast:
    """Everybody, by key."""
    return {key: Person(key, **fields) for key, fields in table("cast.toml").items()}
