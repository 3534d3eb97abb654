"""The traveller's own papers, from ``profile.yaml`` in the workspace: passports and visas with the days they end."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.files_walk import inside, read_bytes
from pea.workspace.one_file import yaml_of

FILE = "profile.yaml"
MAX_BYTES = 256 << 10

_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"

Country = Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{2}$")]


class Passport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A passport or identity card of a country (ISO 3166-1 alpha-2); its number is not needed and not wanted."""

    country: Country
    expires: date
    kind: str = "passport"


class Visa(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit to enter a country; ``begins`` when it is not valid yet."""

    country: Country
    expires: date
    begins: date | None = None
    kind: str = "visa"


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds, and the hours at which its owner sleeps."""

    passports: tuple[Passport, ...] = ()
    visas: tuple[Visa, ...] = ()
    sleeps: Annotated[str, msgspec.Meta(pattern=f"^{_CLOCK}-{_CLOCK}$")] = "23:00-07:00"


def read_profile(workspace: Path) -> Profile:
    """The profile; an empty one when there is no file. Raises Unreadable with the field."""
    path = inside(workspace.resolve(), FILE)
    if not path.exists():
        return Profile()
    try:
        return msgspec.convert(yaml_of(read_bytes(path, max_bytes=MAX_BYTES)), Profile, strict=False)
    except Unreadable as error:
        raise Unreadable(error.what, where=FILE) from error
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(f"{error}", where=FILE, fix="see docs/agents/travel.md") from error
