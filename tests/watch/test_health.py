"""Health: a hundred less what each measured sign takes away, and nothing for what was not measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.watch.health import Signs, health


def test_a_quiet_fleet_is_well():
    """Where nothing was called and nothing measured, nothing is held against it."""
    assert health(Signs(agents=5)).score == 100


@pytest.mark.parametrize(
    ("signs", "score", "said"),
    [
        (Signs(agents=5, failed=("mail",)), 90, "mail is not in service"),
        (Signs(agents=2, failed=("mail", "travel")), 60, "mail, travel are not in service"),
        (Signs(agents=5, troubled=("mail",)), 95, "mail is not well"),
        (Signs(agents=5, calls=1_000, errors=2), 90, "0.2% of requests fail"),
        (Signs(agents=5, calls=10, errors=5), 100, ""),  # too few to judge
        (Signs(agents=5, calls=100, p95_s=0.4), 92, "p95 response time is 400 ms"),
        (Signs(agents=5, calls=100, p95_s=0.7), 84, "below 300 ms"),
        (Signs(agents=5, lag_s=0.03), 95, "event loop is 30 ms late"),
        (Signs(agents=5, memory_bytes=600 << 20), 95, "memory is 600 MiB"),
        (Signs(agents=5, spans_dropped=7), 95, "7 spans were dropped"),
        (Signs(agents=5, alerts=("critical", "high")), 60, "1 critical alert firing"),
        (Signs(agents=0), 60, "no agent is installed"),
    ],
)
def test_what_lowers_it(signs, score, said):
    """Each sign takes points, and says why in words."""
    found = health(signs)
    assert found.score == score == 100 - sum(one.points for one in found.lowered_by)
    assert said in " ".join(one.reason for one in found.lowered_by)


@given(
    st.integers(0, 50),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.lists(st.sampled_from(["critical", "high", "medium", "low", "info"]), max_size=20),
)
def test_it_stays_in_range(agents, calls, errors, p95_s, lag_s, alerts):
    """However bad, it is 0 to 100, and the heaviest reason comes first."""
    found = health(
        Signs(agents=agents, calls=calls, errors=min(errors, calls), p95_s=p95_s, lag_s=lag_s, alerts=tuple(alerts))
    )
    assert 0 <= found.score <= 100
    assert [one.points for one in found.lowered_by] == sorted((one.points for one in found.lowered_by), reverse=True)
    assert all(one.points > 0 for one in found.lowered_by)
