"""The benchmarks of lag and HTTP run as wholes and say what they compare."""

from pea.bench import http, lag


def _calm(monkeypatch, module):
    monkeypatch.setattr(module, "shorten_pauses", lambda: None)  # this process is the tests'
    monkeypatch.setattr(module, "ROUNDS", 2)
    monkeypatch.setattr(module, "ROUND_S", 0.1)


def test_the_lag_caused_has_a_budget(monkeypatch):
    """p99 and maximum are measured with the drain and without (no figure is asserted)."""
    _calm(monkeypatch, lag)
    monkeypatch.setattr(lag, "WARM_S", 0.1)
    found = lag.lag()
    assert [figure.budget for figure in found] == [None, 0.5, 5.0, 5.0]
    assert all("with" in figure.note for figure in found[1:3])


def test_a_traced_route_has_a_bare_peer(monkeypatch):
    """CPU and time are ratios to bare aiohttp; p99 has a limit."""
    _calm(monkeypatch, http)
    monkeypatch.setattr(http, "tasks_over_http", lambda rounds: [])
    monkeypatch.setattr(http.wrk, "program", lambda: None)  # whole seconds are too long for a test
    cpu, wall, p99 = http.http()
    assert cpu.peer == wall.peer == "bare aiohttp"
    assert (cpu.budget, wall.budget, p99.budget) == (2.0, 2.0, 3.0)
    # CPU time is counted in steps that a short round may not reach; wall time always passes.
    assert wall.figure_ns > 0
    assert wall.peer_ns > 0
    assert min(cpu.figure_ns, cpu.peer_ns, p99.value) >= 0
