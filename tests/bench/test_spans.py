"""The span benchmark runs as a whole and says what it compares."""

from pea.bench import spans
from pea.bench.measure import interleaved


def test_every_figure_has_a_peer_and_was_measured(monkeypatch):
    """All lines come out, with times above zero (no figure is asserted: that is the benchmark's own business)."""

    def quick(contenders, **how):
        return interleaved(contenders, **{**how, "rounds": 2, "slice_s": 1e-4})

    monkeypatch.setattr(spans, "interleaved", quick)
    monkeypatch.setattr(spans, "BATCH", 8)
    lines = spans.spans()
    assert len(lines) == 10
    assert all(each.figure_ns > 0 and each.peer_ns > 0 and each.peer and each.what for each in lines)
    assert {each.budget for each in lines if each.budget} == {0.12, 0.03, 0.15, 0.05, 0.18}
