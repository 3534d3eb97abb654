"""Tasks over HTTP are really accepted and done, with the journal and without; without wrk it says so."""

import re

import aiohttp
import pytest

from pea.bench import http_tasks, wrk
from pea.bench.load import Round
from pea.bench.measure import Absent


def test_without_wrk_it_is_absent(monkeypatch):
    """With what to install."""
    monkeypatch.setattr(wrk, "program", lambda: None)
    (absent,) = http_tasks.tasks_over_http()
    assert isinstance(absent, Absent)
    assert "apt install wrk" in absent.why


async def test_what_wrk_is_to_send_is_answered_by_both_services(monkeypatch, tmp_path):
    """The body of the script, posted by another client: done within the request, in either service."""
    body = re.search(r"wrk.body = '(.*)'", http_tasks._SCRIPT)[1]
    statuses = []

    async def ask(url, seconds, connections, script):
        headers = {"Content-Type": "application/json", "Prefer": "wait=5"}
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            statuses.append((answer.status, (await answer.json())["status"]))
        return Round(1, 0.5, 2.0, 3.0), int(answer.status >= 300)

    monkeypatch.setattr(wrk, "ask", ask)
    found = await http_tasks._measure(1, tmp_path)
    assert statuses == [(200, "succeeded")] * 4  # a warm-up and a round each
    assert [one.what.strip() for one in found[::3]] == ["tasks over HTTP, journaled", "tasks over HTTP, not journaled"]
    assert (tmp_path / "journaled" / "journal").exists()
    assert not (tmp_path / "not journaled" / "journal").exists()


def test_the_figures_are_those_of_the_rounds():
    """The median of the rounds' rates and latencies; one answer that is none misses the budget."""
    rounds = [Round(100, 1.0, 1.0, 9.0), Round(300, 1.0, 2.0, 7.0), Round(400, 2.0, 3.0, 8.0)]
    rate, p99, wrong = http_tasks._figures("journaled", rounds, 1)
    assert (rate.value, rate.count, p99.value) == (200.0, 800, 8.0)
    assert "p50 2.0 ms" in rate.note
    assert rate.samples == (pytest.approx((100.0, 300.0, 200.0)),)
    assert wrong.passed is False
