"""The figure of batched activities is that of a log which is really written."""

from pea.bench import cache_activity


def test_all_are_written_and_most_share_a_transaction(monkeypatch):
    """Agents that write faster than a batch lingers share transactions, and none of their lines is lost."""
    monkeypatch.setattr(cache_activity, "EACH", 20)
    monkeypatch.setattr(cache_activity, "MEAN_PAUSE_S", 0.001)
    shared, lost, took = cache_activity.activities()
    assert shared.count == 15 * 20
    assert shared.value > 80
    assert (lost.value, took.count) == (0, 300)
