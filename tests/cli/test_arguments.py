"""``key=value`` words read by the types that a schema declares."""

from __future__ import annotations

import shlex
from datetime import date
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.agents._ask_fill import said
from pea.cli.arguments import parse
from pea.errors import InputError


class Input(msgspec.Struct):
    query: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = 5
    day: date | None = None
    tags: list[str] = []
    kind: Literal["a", "b"] = "a"
    exact: bool = False
    level: Literal[1, 2] = 1
    place: str | None = None


SCHEMA = msgspec.json.schema(Input)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        (["query=2024"], None, {"query": "2024"}),
        (["limit=3"], None, {"limit": 3}),
        (["day=2026-05-12"], None, {"day": "2026-05-12"}),
        (['tags=["x", "y"]'], None, {"tags": ["x", "y"]}),
        (["tags=x, y"], None, {"tags": ["x", "y"]}),
        (["tags="], None, {"tags": []}),
        (["kind=b", "level=2"], None, {"kind": "b", "level": 2}),
        (["exact=true"], None, {"exact": True}),
        (["place="], None, {"place": ""}),
        (["place:=null"], None, {"place": None}),
        (["query=a=b"], None, {"query": "a=b"}),
        (["limit=4"], '{"query": "x", "limit": 1}', {"query": "x", "limit": 4}),
        (["nosuch=1"], None, {"nosuch": "1"}),
    ],
)
def test_words_become_input(words: list[str], text: str | None, expected: dict[str, object]) -> None:
    """Text where text is allowed, JSON elsewhere; an unknown field is left for the capability to refuse."""
    assert parse(words, text, SCHEMA) == expected


@pytest.mark.parametrize(
    ("words", "text", "where"),
    [
        (["query"], None, "input"),
        (["=x"], None, "input"),
        (["limit=many"], None, "limit"),
        ([], "[1]", "--input"),
        ([], "{", "input"),
        (["tags:=" + "[" * 5000], None, "tags"),
    ],
)
def test_words_that_cannot_be_read(words: list[str], text: str | None, where: str) -> None:
    """The refusal names the word or the field."""
    with pytest.raises(InputError) as refused:
        parse(words, text, SCHEMA)
    assert refused.value.where == where


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@given(query=WORDS, tags=st.lists(WORDS.filter(str.strip), max_size=3), limit=st.integers(1, 99), exact=st.booleans())
def test_the_command_that_an_answer_shows_is_that_command(query: str, tags: list[str], limit: int, exact: bool) -> None:
    """What `pea ask` says it understood can be copied into a shell, and gives the same input."""
    given_ = {"query": query, "tags": [tag.strip() for tag in tags], "limit": limit, "exact": exact}
    assert parse(shlex.split(said(given_)), None, SCHEMA) == given_
