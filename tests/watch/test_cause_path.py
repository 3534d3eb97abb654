"""Only what a trace waited for can have made it slower."""

import pytest

from pea.telemetry import names as n
from pea.telemetry.record import Origin, SpanRecord
from pea.watch.cause import rank_causes
from pea.watch.cause_columns import columns
from pea.watch.cause_path import on_path

MS = 1_000_000
PEA = Origin("pea")


def span(span_id: int, parent_id: int, start: int, end: int, name: str = "x", trace_id: int = 1) -> SpanRecord:
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        start_ns=start * MS,
        end_ns=end * MS,
        origin=PEA,
        attributes={n.GEN_AI_AGENT_NAME: name},
    )


ROOT = (1, 0, 0, 100)


@pytest.mark.parametrize(
    ("children", "waited"),
    [
        ([(2, 1, 0, 40), (3, 1, 40, 90)], {1, 2, 3}),
        ([(2, 1, 0, 90), (3, 1, 10, 50)], {1, 2}),
        ([(2, 1, 0, 30), (3, 1, 0, 60), (4, 1, 60, 99)], {1, 3, 4}),
        ([(2, 1, 0, 30), (3, 2, 5, 25), (4, 1, 0, 60), (5, 4, 0, 60)], {1, 4, 5}),
        ([(2, 1, 200, 300)], {1}),
        ([(2, 1, 0, 100), (3, 1, 0, 100)], {1, 2}),
        ([(2, 1, 50, 50), (3, 1, 50, 50)], {1, 2, 3}),
    ],
    ids=["in a row", "beside a longer one", "two then one", "below", "after the end", "the same", "no time at all"],
)
def test_the_path_runs_through_what_was_waited_for(children, waited):
    """Backwards from the end: the child that ended last, then the one that ended before it began."""
    table = columns([[span(*ROOT), *(span(*child) for child in children)]])
    assert {at + 1 for at in on_path(table).nonzero()[0].tolist()} == waited


def test_a_long_chain_and_a_circle_end():
    """Ten thousand levels below a child that nobody waited for, and two spans that are each other's parent."""
    chain = [span(at, at - 1 if at > 3 else 1, 0, 50) for at in range(3, 10_000)]
    table = columns(
        [[span(*ROOT), span(2, 1, 0, 90), *chain], [span(1, 2, 0, 5, trace_id=2), span(2, 1, 0, 5, trace_id=2)]]
    )
    assert on_path(table).tolist() == [True, True, *[False] * len(chain), True, True]


def test_what_ran_beside_the_path_is_not_blamed_first():
    """An agent ten times slower, hidden behind another, against one twice as slow that all wait for."""

    def window(beside: int, after: int):
        return columns(
            [
                [
                    span(1, 0, 0, 500 + after, "front", at),
                    span(2, 1, 0, 300 + at % 7, "busy", at),
                    span(3, 1, 0, beside + at % 5, "beside", at),
                    span(4, 1, 310, 310 + after + at % 5, "after", at),
                ]
                for at in range(1, 101)
            ]
        )

    causes = rank_causes(window(20, 50), window(200, 130))
    assert causes[0].place.agent == "after"
    assert causes[0].share > 0.9
