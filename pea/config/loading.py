"""Reads settings from pea.yaml, PEA_* variables and the command line; a mistake is told with its place and a fix."""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pea.config.sections import Settings, parse_present
from pea.config.units import Bytes, Seconds
from pea.errors import ConfigError, did_you_mean

MAX_CONFIG_BYTES = 1 << 20


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from ``path`` (else PEA_CONFIG, else ./pea.yaml), PEA_* variables and dotted ``overrides``.

    Relative ``workspace``, ``state``, ``watch.rules`` and ``access`` paths in the file are relative to it; ``state``
    defaults to ``.pea`` beside the configuration. Raises ConfigError with the file and line, or the variable, and the
    nearest valid word.
    """
    environ = os.environ if environ is None else environ
    if path is None and environ.get("PEA_CONFIG"):
        path = Path(environ["PEA_CONFIG"])
    if path is None and Path("pea.yaml").is_file():
        path = Path("pea.yaml")
    text = "" if path is None else _read(path)
    tree: dict[str, Any] = _parse(text, path)
    origins: dict[str, str] = {}
    home = Path.cwd() if path is None else path.resolve().parent
    for key in ("workspace", "state"):
        if isinstance(tree.get(key), str) and tree[key]:
            tree[key] = str(home / Path(tree[key]).expanduser())
    watch = tree.get("watch")
    if isinstance(watch, dict) and isinstance(watch.get("rules"), list):
        watch["rules"] = [str(home / Path(one).expanduser()) if isinstance(one, str) else one for one in watch["rules"]]
    _place(tree.get("access"), home)
    for name, value in _from_environment(environ):
        _put(tree, name, value, origins, f"PEA_{name.upper().replace('.', '__')}")
    for name, given in (overrides or {}).items():
        if given is not None:
            _put(tree, name, given, origins, f"--{name.rsplit('.', 1)[-1].replace('_', '-')}")
    tree.setdefault("state", str(home / ".pea"))
    settings = _convert(tree, origins, text, path)
    _check(settings, origins, text, path)
    return settings


def _place(access: Any, home: Path) -> None:
    """Have the files that ``access`` names begin at the configuration's folder."""
    if not isinstance(access, dict):
        return
    places = [(access, "tokens")]
    if isinstance(access.get("tls"), dict):
        places += [(access["tls"], key) for key in ("cert", "key", "client_ca")]
    for section, key in places:
        if isinstance(section.get(key), str) and section[key]:
            section[key] = str(home / Path(section[key]).expanduser())


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), fix="give --config an existing file"
        ) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"is larger than {MAX_CONFIG_BYTES:,} bytes", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 at byte {error.start}", where=str(path)) from error


def _parse(text: str, path: Path | None) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"must be a mapping of settings, not {type(tree).__name__}", where=f"{path}:1")
    return tree


# Variables that begin with PEA_ and are not settings.
_NOT_SETTINGS = {
    "PEA_CONFIG",
    "PEA_REQUIRE_SERVICES",
    "PEA_URL",
    "PEA_TOKEN",
    "PEA_TOKEN_FILE",
    "PEA_CA",
    "PEA_CLIENT_CERT",
    "PEA_BENCH_DATA",
    "PEA_DIFFERENTIAL",
    # Read by Grafana, Jaeger and `pea doctor --stack`: dashboards/provisioning, otel/jaeger.yaml.
    "PEA_ALERTMANAGER_URL",
    "PEA_DASHBOARDS",
    "PEA_GRAFANA_TOKEN",
    "PEA_JAEGER_URL",
    "PEA_PROMETHEUS_URL",
}


def _from_environment(environ: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for name, text in sorted(environ.items()):
        if not name.startswith("PEA_") or name in _NOT_SETTINGS:
            continue
        try:
            value = yaml.safe_load(text) if text else ""
        except (yaml.YAMLError, RecursionError, ValueError):
            value = text
        # A date, or a number where text is due, would lose how it was written.
        yield (
            name[4:].lower().replace("__", "."),
            value if isinstance(value, bool | int | float | list | dict) else text,
        )


def _put(tree: dict[str, Any], name: str, value: Any, origins: dict[str, str], origin: str) -> None:
    *sections, leaf = name.split(".")
    place: Any = tree
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{section!r} is not a section", where=origin)
    place[leaf] = value
    origins[name] = origin


_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*?)`)?$", re.DOTALL)


def _decode_unit(kind: type, value: object) -> object:
    if kind in (Seconds, Bytes):
        return kind.parse(value)
    raise ValueError(f"{kind.__name__} cannot be read from {value!r}")


def _convert(tree: dict[str, Any], origins: Mapping[str, str], text: str, path: Path | None) -> Settings:
    # A number or a date written without quotes where text is due is meant as text.
    for key in ("today", "workspace", "state"):
        if isinstance(tree.get(key), int | float | date):
            tree[key] = str(tree[key])
    try:
        return msgspec.convert(tree, Settings, dec_hook=_decode_unit)
    except msgspec.ValidationError as error:
        message = str(error)
        unknown = _UNKNOWN.match(message)
        if unknown:
            section, field = unknown[2] or "", unknown[1]
            parts, kind = _entry(section, tree)
            known = [f.encode_name for f in msgspec.structs.fields(kind)]
            raise ConfigError(
                f"no setting is called {'.'.join([*parts, field])!r}",
                where=_where([*parts, field], origins, text, path),
                fix=did_you_mean(field, known),
            ) from None
        at = _AT.match(message)
        parts, _ = _entry((at[2] if at else None) or "", tree)
        what = f"{'.'.join(parts)}: {at[1] if at else message}" if parts else message
        raise ConfigError(what, where=_where(parts, origins, text, path)) from None


def _entry(name: str, tree: Mapping[str, Any]) -> tuple[list[str], Any]:
    """The keys that lead to what msgspec calls ``name``, and the struct there.

    msgspec writes an entry of a mapping as ``policies[...]``: the first one that cannot be read is meant.
    """
    parts: list[str] = []
    kind: Any = Settings
    node: Any = tree
    for part in name.replace("[...]", "[]").split(".") if name else ():
        field = part.partition("[")[0]
        parts.append(field)
        node = node.get(field) if isinstance(node, Mapping) else None
        kind = next((f.type for f in msgspec.structs.fields(kind) if f.encode_name == field), Settings)
        if field != part and isinstance(node, Mapping):
            kind = typing.get_args(kind)[-1]
            for key, value in node.items():
                if not _readable(value, kind):
                    parts.append(str(key))
                    node = value
                    break
        kind = next((one for one in (kind, *typing.get_args(kind)) if _is_struct(one)), Settings)
    return parts, kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _readable(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, dec_hook=_decode_unit)
    except msgspec.ValidationError:
        return False
    return True


def _where(parts: Sequence[str], origins: Mapping[str, str], text: str, path: Path | None) -> str | None:
    """The variable, option, or file and line that set what these keys lead to."""
    for last in range(len(parts), 0, -1):  # a variable may have set the whole section
        if ".".join(parts[:last]) in origins:
            return origins[".".join(parts[:last])]
    if path is None:
        return None
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for part in parts:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == part:
                node, line = value, key.start_mark.line + 1
                break
        else:
            break
    return f"{path}:{line}"


def _check(settings: Settings, origins: Mapping[str, str], text: str, path: Path | None) -> None:
    """What types cannot say: zones exist, the pinned day is a day."""
    try:
        zone = settings.zone
    except (KeyError, ValueError, OSError) as error:
        where = _where(("user", "timezone"), origins, text, path)
        raise ConfigError(
            f"no time zone is called {settings.user.timezone!r}",
            where=where,
            fix="use an IANA name such as Europe/Berlin",
        ) from error
    try:
        if settings.today:
            parse_present(settings.today, zone)
    except ValueError as error:
        where = _where(("today",), origins, text, path)
        raise ConfigError(
            f"{settings.today!r} is not a day", where=where, fix="write 2026-05-12 or 2026-05-12T07:30"
        ) from error
