"""Tokens are kept as hashes, in a file that is for its owner alone."""

import os
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.errors import ConfigError
from pea.service.access.scopes import Scope
from pea.service.access.token_file import editing, read_tokens, write_tokens
from pea.service.access.tokens import issue, recognise
from tests.service.access.conftest import NOW


def test_a_token_is_recognised_and_nothing_else_is():
    """The text that was printed is the token; with one character changed it is not."""
    token, text = issue("me", [Scope.READ], NOW)
    tokens = {token.id: token}
    assert recognise(text, tokens) is token
    assert recognise(text[:-1] + ("A" if text[-1] != "A" else "B"), tokens) is None
    assert recognise(text, {}) is None
    assert recognise(f"{text} ", tokens) is None


@given(st.text(max_size=80))
def test_any_other_text_is_no_token(text):
    """Whatever is shown, it is refused and never raises."""
    token, _ = issue("me", [Scope.READ], NOW)
    assert recognise(text, {token.id: token}) is None


def test_the_file_holds_no_secret(keys):
    """What is kept does not let anybody in; only the owner may read it all the same."""
    kept = keys.path.read_text()
    for text in keys.text.values():
        assert text.split("_", 2)[2] not in kept
    assert keys.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o604, 0o660, 0o601])
def test_a_file_that_others_reach_is_refused(keys, mode):
    """A file that others may read or write is not believed, and the refusal says what to do."""
    keys.path.chmod(mode)
    with pytest.raises(ConfigError, match="others may") as raised:
        read_tokens(keys.path)
    assert f"chmod 600 {keys.path}" in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"version":2,"tokens":[]}',
        b'{"version":1,"tokens":[{"id":"a"}]}',
        b'{"version":1,"tokens":[{"id":"a","name":"n","scopes":[],"sha256":"0","created":"2026-01-01T00:00:00Z"}]}',
        b'{"version":1,"tokens":[{"id":"a","name":"n","scopes":["public"],"sha256":"0","created":"2026-01-01T00:00:00Z"}]}',
        b'{"version":1,"tokens":[{"id":"a","name":"n","scopes":["read"],"sha256":"0","created":"2026-01-01T00:00:00"}]}',
        b"\xff\xfe",
        b'{"version":1,"tokens":[' + b" " * (1 << 20) + b"]}",
    ],
)
def test_what_is_not_a_tokens_file_is_refused(tmp_path, content):
    """Broken, foreign or oversized content is an error with the file's name, not a file without tokens."""
    path = tmp_path / "tokens.json"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_tokens(path)
    assert raised.value.where == str(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    """A pipe in the file's place does not block the service."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ConfigError):
            read_tokens(place)


def test_no_file_is_no_tokens(tmp_path):
    """Without a file there are none, which is how a service on loopback begins."""
    assert read_tokens(tmp_path / "tokens.json") == {}


def test_tokens_survive_the_file(keys):
    """What is written is read again, expiry and rates included."""
    token = keys.add("robot", [Scope.INGEST, Scope.READ], lifetime=timedelta(days=1), per_second=3.0, burst=7)
    assert read_tokens(keys.path)[token.id] == token
    assert token.scopes == (Scope.READ, Scope.INGEST)
    assert token.expired(NOW + timedelta(days=1))
    assert not token.expired(NOW + timedelta(hours=23))


def test_a_failed_edit_changes_nothing(keys):
    """An edit that raises leaves the file as it was, and no other file behind."""
    before = keys.path.read_bytes()

    def forget() -> None:
        with editing(keys.path) as tokens:
            tokens.clear()
            raise KeyError

    with pytest.raises(KeyError):
        forget()
    assert keys.path.read_bytes() == before
    assert {path.name for path in keys.path.parent.iterdir()} <= {"tokens.json", ".tokens.json.lock"}


def test_there_are_no_more_tokens_than_can_be_read(tmp_path):
    """The file never grows past what the service would read."""
    token, _ = issue("x" * 100, list(Scope)[1:], NOW)
    many = {f"{n:012x}": msgspec.structs.replace(token, id=f"{n:012x}") for n in range(1_000)}
    write_tokens(tmp_path / "tokens.json", many)
    assert len(read_tokens(tmp_path / "tokens.json")) == 1_000
    with pytest.raises(ConfigError, match="the most"):
        write_tokens(tmp_path / "tokens.json", {**many, token.id: token})


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "\x1b[31m"])
def test_names_can_be_shown(name):
    """A name that would move a terminal's cursor, or says nothing, is refused."""
    with pytest.raises(ValueError, match="name"):
        issue(name, [Scope.READ], NOW)


def test_a_token_without_scopes_is_none():
    """A token has to be good for something."""
    with pytest.raises(ValueError, match="scope"):
        issue("me", [Scope.PUBLIC], NOW)


def test_where_no_file_can_be_is_said(tmp_path):
    """A folder that cannot be made is an error in words, before anything is changed."""
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match="cannot be written"), editing(tmp_path / "state" / "tokens.json"):
        pass
