"""An account goes into pea.yaml without a change to anything else that stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.cli.connect_yaml import added, write
from pea.errors import ConfigError

POST = {"kind": "imap", "host": "imap.example.org", "user": "nora", "password": "env:P"}
LINES = "kind: imap", "host: imap.example.org", "user: nora", "password: env:P"


def block(indent: int) -> str:
    return "".join(
        " " * column + line + "\n" for column, line in [(indent, "post:"), *((indent + 2, x) for x in LINES)]
    )


WORK = "    # the office\n    work:  {kind: caldav, url: 'https://x/'}\n  every: 5m\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"connect:\n  accounts:\n{block(4)}"),
        ("# mine\nworkspace: x", f"# mine\nworkspace: x\nconnect:\n  accounts:\n{block(4)}"),
        ("connect:\n", f"connect:\n  accounts:\n{block(4)}"),
        ("connect: {}  # none yet\nx: 1\n", f"connect:  # none yet\n  accounts:\n{block(4)}x: 1\n"),
        ("connect:\n    every: 5m # often\n", f"connect:\n    accounts:\n{block(6)}    every: 5m # often\n"),
        ("connect:\n  accounts: {}", f"connect:\n  accounts:\n{block(4)}"),
        ("connect:\n  accounts: null\n  every: 1m\n", f"connect:\n  accounts:\n{block(4)}  every: 1m\n"),
        (f"connect:\n  accounts: # all\n\n{WORK}", f"connect:\n  accounts: # all\n{block(4)}\n{WORK}"),
    ],
)
def test_where_it_goes(before: str, after: str) -> None:
    """Right below its heading, as deep as what is there; comments stay with what they are about."""
    made = added(before, "post", POST)
    assert made == after
    assert yaml.safe_load(made)["connect"]["accounts"]["post"] == POST


def test_windows_lines() -> None:
    """A file keeps its ends of lines."""
    made = added("connect:\r\n  every: 1m\r\n", "post", POST)
    assert made.count("\r\n") == made.count("\n") == 8


@pytest.mark.parametrize(
    "text",
    [
        "{workspace: x}",
        "connect: {every: 5m}",
        "connect:\n  accounts: {work: {kind: caldav}}\n",
        "a: 1\n...\n",
        "- a\n",
    ],
)
def test_what_cannot_be_added_to(text: str) -> None:
    """It is told, with the lines to add by hand; nothing is written."""
    with pytest.raises(ConfigError) as refused:
        added(text, "post", POST)
    assert text.startswith("-") or "imap.example.org" in (refused.value.fix or "")


def test_a_name_that_is_taken() -> None:
    """An account is not replaced."""
    with pytest.raises(ConfigError, match="there is an account of this name"):
        added(added("", "post", POST), "post", POST)


KEYS = st.sampled_from(["workspace", "user", "connect", "llm"])
VALUES = st.recursive(
    st.text("ab: #'{-\n", max_size=6) | st.integers(),
    lambda inner: (
        st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
ACCOUNTS = st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.fixed_dictionaries({"kind": st.just("web")}))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS.filter(lambda key: key != "connect"), VALUES), st.none() | ACCOUNTS, st.booleans())
def test_whatever_stands_there(tree: dict[str, object], accounts: dict[str, object] | None, flow: bool) -> None:
    """The settings afterwards are those before and the account, or it is refused; never anything else."""
    if accounts is not None:
        tree["connect"] = {"accounts": accounts}
    text = yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False)
    try:
        made = yaml.safe_load(added(text, "post", POST))
    except ConfigError:
        assert flow
        return
    assert made["connect"]["accounts"] == {**(accounts or {}), "post": POST}
    assert {key: made[key] for key in tree if key != "connect"} == {k: v for k, v in tree.items() if k != "connect"}


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    """What others could read they still can, and the other way round; a new file is its owner's."""
    for name, mode in (("old.yaml", 0o644), ("own.yaml", 0o600)):
        (tmp_path / name).write_text("a: 1\n")
        (tmp_path / name).chmod(mode)
        write(tmp_path / name, "a: 2\n")
        assert ((tmp_path / name).stat().st_mode & 0o777, (tmp_path / name).read_text()) == (mode, "a: 2\n")
    write(tmp_path / "new.yaml", "a: 1\n")
    assert (tmp_path / "new.yaml").stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 3
