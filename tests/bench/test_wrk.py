"""What wrk prints is read with its units, and its errors are counted."""

import pytest

from pea.bench.wrk import parse
from pea.errors import PeaError

SAID = """Running 1s test @ http://127.0.0.1:8080/x
  1 threads and 32 connections
  Latency Distribution
     50%  742.00us
     75%    0.98ms
     90%    1.21ms
     99%    2.05ms
  39543 requests in 1.10s, 6.90MB read
{more}Requests/sec:  35948.18
"""


@pytest.mark.parametrize(
    ("more", "bad"),
    [
        ("", 0),
        ("  Non-2xx or 3xx responses: 7\n", 7),
        ("  Socket errors: connect 0, read 2, write 0, timeout 1\n  Non-2xx or 3xx responses: 7\n", 10),
    ],
)
def test_a_round_is_read(more, bad):
    """Microseconds are milliseconds, seconds are its own; answers that are none, or not 2xx, are counted."""
    found, wrong = parse(SAID.format(more=more))
    assert (found.answers, found.seconds, found.p50_ms, found.p99_ms) == (39_543, 1.1, 0.742, 2.05)
    assert wrong == bad


def test_anything_else_is_refused():
    """With its own words."""
    with pytest.raises(PeaError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")
