"""An account put into the text of pea.yaml, so that every comment and blank line there stays as it is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pea.errors import ConfigError

Pair = tuple[yaml.ScalarNode, yaml.Node]


def added(text: str, name: str, account: dict[str, Any]) -> str:
    """The text with the account below ``connect.accounts``.

    It goes right below the line ``accounts:``, before what is there. Raises ConfigError, with the lines to put in by
    hand, where that line is written in a way that they cannot be added to.
    """
    before = yaml.safe_load(text)
    if not isinstance(before, dict | None):
        raise ConfigError("is no mapping of settings")
    wanted = before or {}
    known = (wanted.get("connect") or {}).get("accounts") or {}
    if name in known:
        raise ConfigError("there is an account of this name", where=f"connect.accounts.{name}", fix="edit it there")
    wanted["connect"] = {**(wanted.get("connect") or {}), "accounts": {name: account, **known}}
    made = _inserted(text, name, account)
    try:
        right = made is not None and yaml.safe_load(made) == wanted
    except yaml.YAMLError:
        right = False
    if made is None or not right:
        lines = "\n".join(_lines({"connect": {"accounts": {name: account}}}, 0))
        raise ConfigError("has no place where the account can be added by itself", fix=f"add by hand:\n{lines}")
    return made


def write(path: Path, text: str) -> None:
    """Replace a file whole, in its own mode (a new one: for its owner alone)."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:  # whatever stopped it, nothing stays behind
        Path(name).unlink(missing_ok=True)
        raise


def _inserted(text: str, name: str, account: dict[str, Any]) -> str | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if isinstance(root, yaml.MappingNode) and root.flow_style:
        if root.value:
            return None
        text = text[: root.start_mark.index] + text[root.end_mark.index :].lstrip("\r\n")
    connect = _pair(root, "connect")
    if connect is None:
        return _at_end(text, _lines({"connect": {"accounts": {name: account}}}, 0))
    accounts = _pair(connect[1], "accounts")
    if accounts is None:
        return _below(text, connect, {"accounts": {name: account}})
    return _below(text, accounts, {name: account})


def _pair(node: yaml.Node | None, key: str) -> Pair | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((pair for pair in node.value if pair[0].value == key), None)


def _below(text: str, pair: Pair, tree: dict[str, Any]) -> str | None:
    """The text with a tree as the first of what is below a key; None when that is written in braces."""
    key, value = pair
    column = key.start_mark.column + 2
    if isinstance(value, yaml.MappingNode) and value.value:
        if value.flow_style:
            return None
        column = value.value[0][0].start_mark.column
    elif value.end_mark.index > value.start_mark.index:  # {} or null, which makes room
        text = text[: value.start_mark.index].rstrip(" ") + text[value.end_mark.index :]
    end = text.find("\n", key.end_mark.index)
    if end < 0:
        return _at_end(text, _lines(tree, column))
    return text[: end + 1] + _joined(_lines(tree, column), text) + text[end + 1 :]


def _at_end(text: str, lines: list[str]) -> str:
    missing = "" if not text or text.endswith("\n") else _newline(text)
    return text + missing + _joined(lines, text)


def _lines(tree: dict[str, Any], column: int) -> list[str]:
    told = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000)
    return [" " * column + line for line in told.splitlines()]


def _joined(lines: list[str], text: str) -> str:
    return "".join(line + _newline(text) for line in lines)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
