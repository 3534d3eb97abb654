"""Accept and Prefer, read as their specifications say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.service.negotiate import accepts, preferred_wait_s


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/*", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/html, */*;q=0.1", True),
        ("text/html", False),
        ("*/*;q=0", False),
        ("*/*, application/json;q=0", False),
        ("application/*;q=0, application/json", True),
        ("application/json;q=nonsense", False),
        ("jibberish;;;,,", False),
    ],
)
def test_the_most_specific_range_decides(header, taken):
    """RFC 9110, section 12.5.1."""
    assert accepts(header, "application/json") is taken


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ([], None),
        (["wait=5"], 5),
        (["Wait = 5"], 5),
        (['wait="5"'], 5),
        (["respond-async, wait=5; foo=bar, handling=lenient"], 5),
        (["respond-async", "wait=7"], 7),
        (["wait=3, wait=9"], 3),
        (['x="a, wait=9", wait=2'], 2),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=" + "9" * 10], None),
        (["wait=٣"], None),
    ],
)
def test_wait_is_seconds_or_ignored(headers, wait_s):
    """RFC 7240: the first preference of a name counts, and what is not understood is not an error."""
    assert preferred_wait_s(headers) == wait_s


@given(st.text(max_size=80))
def test_headers_of_any_kind_are_read(text):
    """No header's value makes reading it fail."""
    assert accepts(text, "application/json") in (True, False)
    wait_s = preferred_wait_s([text])
    assert wait_s is None or wait_s >= 0
