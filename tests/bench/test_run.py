"""Suites run in processes of their own: what they find comes back, what fails, hangs or lacks something is told."""

import msgspec
import pytest

from pea.bench import one
from pea.bench.figure import Figure
from pea.bench.run import measure, run
from pea.bench.suites import EXTENTS, SUITES, Ask, Suite


def test_the_figures_of_a_process_come_back():
    """`cause`, through the file that the process writes: its figures, or that its data is not here."""
    (found,) = run([SUITES["cause"]], Ask(data=None, profile=None))
    assert found[0].name == "cause"
    assert found[1].entries or found[1].missing
    assert found[1].seconds > 0


def test_a_suite_without_its_data_says_what_is_missing(tmp_path):
    """The reason is the suite's own words; there are no entries."""
    found = measure(SUITES["cause"], Ask(data=tmp_path))
    assert not found.entries
    assert "no set of faults" in found.missing


def test_one_that_is_not_done_in_time_is_stopped(monkeypatch, tmp_path):
    """Patience over, the process and what it has started are ended, and the suite is named."""
    monkeypatch.setattr(Suite, "patience_s", lambda self, ask: 0.05)
    found = measure(SUITES["detect"], Ask())
    assert "not done within" in found.missing
    assert (found.entries, found.cpu_s) == ((), 0.0)


def test_one_that_fails_is_told_with_its_last_words(tmp_path):
    """A suite that the process does not know ends it with a KeyError."""
    found = measure(msgspec.structs.replace(SUITES["cause"], name="none"), Ask(data=tmp_path))
    assert "failed with exit code 1" in found.missing
    assert "KeyError" in found.missing


def test_a_missing_peer_is_named(monkeypatch):
    """An ImportError is the name of the package, and what to install."""

    def lacks(self, ask):
        raise ImportError(name="theine")

    monkeypatch.setattr(Suite, "run", lacks)
    assert "theine (pip install 'pea[bench]')" in one.launch("cache", Ask()).missing


@pytest.mark.parametrize("ask", [Ask(), Ask("quick", minutes=1.0, kills=3)])
def test_the_ask_survives_its_journey(ask, tmp_path):
    """Paths and all, to the other process and back."""
    asked = msgspec.structs.replace(ask, data=tmp_path)
    assert msgspec.json.decode(one.encode(asked), type=Ask, dec_hook=one._path) == asked


def test_whole_and_quick_keep_to_their_time():
    """As announced: fifteen minutes for all, two for a quick look; nothing is in quick that is not in whole."""
    for extent, limit_s in (("quick", 120), ("whole", 900)):
        expected = sum(suite.expected_s(Ask(extent)) for suite in SUITES.values() if extent in suite.seconds)
        assert expected <= limit_s
    assert all("full" in suite.seconds for suite in SUITES.values())
    assert all(set(suite.given) <= set(EXTENTS) for suite in SUITES.values())


def test_what_is_asked_for_is_what_is_given(monkeypatch):
    """Keywords by extent, minutes and kills only to those that take them."""
    given = {}
    monkeypatch.setattr(
        "pea.bench.cause.cause", lambda data, **keywords: given.update(data=data, **keywords) or [Figure("x", 1.0, "s")]
    )
    suite = msgspec.structs.replace(SUITES["cause"], given={"quick": {"most": 1}}, takes_minutes=True)
    suite.run(Ask("quick", minutes=2.0, kills=5))
    assert given == {"most": 1, "data": None, "minutes": 2.0}
