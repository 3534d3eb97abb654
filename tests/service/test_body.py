"""JSON is read as strictly as it can be: what is accepted means one thing."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.service.body import MAX_DEPTH, parse
from pea.service.refusals import MalformedJson

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_is_json_is_read_as_it_is(value, ascii_only):
    """Every JSON value comes back unchanged, escaped or not."""
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")) == value


@given(st.binary(max_size=200))
def test_what_is_not_is_refused_in_words(data):
    """Bytes of any kind are either a value that can be written again or a problem."""
    try:
        value = parse(data)
    except MalformedJson as error:
        value = [error.what, error.where]
    assert json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded_exactly(opening):
    """The deepest value that is read has MAX_DEPTH levels, whatever it is made of."""
    closing = "]" if opening == "[" else "}"
    for depth, fits in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (50_000, False)):
        data = (opening * depth + "1" + closing * depth).encode()
        if fits:
            parse(data)
        else:
            with pytest.raises(MalformedJson, match="deeper than"):
                parse(data)


def test_many_shallow_objects_are_not_deep():
    """Breadth is not depth."""
    value = [{"a": [n]} for n in range(500)]
    assert parse(json.dumps(value).encode()) == value


def test_escaped_pairs_are_characters():
    """A whole surrogate pair is one character; half of one is none."""
    assert parse(b'"\\ud83c\\udf4e"') == "\N{RED APPLE}"
    for half in (b'"\\ud83c"', b'"\\udf4e\\ud83c"', b'{"\\uDC00": 1}'):
        with pytest.raises(MalformedJson, match="surrogate"):
            parse(half)


def test_numbers_hold():
    """A number is kept as it is or refused, never turned into infinity."""
    assert parse(b"[1e308, -0.0, 12345678901234567890]") == [1e308, -0.0, 12345678901234567890]
    assert math.copysign(1, parse(b"-0.0")) == -1
    assert [type(number) for number in parse(b"[3.0, 3.5, 1e3, 1e300]")] == [int, float, int, float]
    for beyond in (b"1e309", b"-1e999", b"Infinity", b"-Infinity", b"9" * 5_000):
        with pytest.raises(MalformedJson):
            parse(beyond)
