"""The drain bench measures every rate and both of the SDK's histograms."""

from pea.bench import drain
from pea.bench.measure import interleaved


def test_every_rate_and_both_peers_have_a_line(monkeypatch):
    """A figure for each rate, by name as the report looks for it, and a line beside each kind of histogram."""

    def quick(contenders, **how):
        return interleaved(contenders, **{**how, "rounds": 2, "slice_s": 1e-4})

    monkeypatch.setattr(drain, "interleaved", quick)
    *rates, exponential, explicit = drain.drain((100, 1_000))
    assert [one.what for one in rates] == ["drain of a span at 100 spans/s", "drain of a span at 1,000 spans/s"]
    assert [one.count > 0 and one.note.endswith("of a core") for one in rates] == [True, True]
    assert (exponential.peer, explicit.peer) == ("SDK exponential Histogram.record", "SDK explicit Histogram.record")
    assert exponential.figure_ns > 0
    assert exponential.peer_ns > 0
