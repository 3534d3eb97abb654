"""Every query of every panel, variable and annotation, asked of a real Prometheus that scrapes PEA under load."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.counts import COUNTED
from tests.stack.load import other_program
from tests.stack.programs import ROOT, fetch, until
from tests.stack.running import Stack

BOARDS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))}
CHOSEN = {"$__rate_interval": "10s", "$__range": "1m", "$job": "pea", "$instance": ".+"}

ROUNDS = 6  # what happens seldom may need a few

pytestmark = pytest.mark.service


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel that shows something."""
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield name, panel


def chosen(expr: str) -> str:
    """A query with Grafana's variables filled in."""
    for word, value in CHOSEN.items():
        expr = expr.replace(word, value)
    return re.sub(r"\$(agent|cache|service)\b", ".*", expr)


def shows(stack: Stack, expr: str) -> bool:
    """Whether a graph of the last half minute has a point."""
    now = time.time()
    found = stack.api("query_range", query=chosen(expr), start=f"{now - 30:.0f}", end=f"{now:.0f}", step="1")
    return any(math.isfinite(float(value)) for series in found["result"] for _, value in series["values"])


def test_every_query_of_every_panel_has_data(stack: Stack) -> None:
    """No panel is empty when the load makes happen what it shows."""
    every = [(f"{name}: {panel['title']}", [one["expr"] for one in panel["targets"]]) for name, panel in panels()]
    silent = [(title, expr) for title, exprs in every for expr in exprs]
    for _ in range(ROUNDS):
        other_program(stack.pea.url)
        silent = [(title, expr) for title, expr in silent if not shows(stack, expr)]
        if not silent:
            break
        scrapes = stack.scrapes()
        until("Prometheus has scraped again", lambda scrapes=scrapes: stack.scrapes() >= scrapes + 3)
    queries, empty = sum(len(exprs) for _, exprs in every), {title for title, _ in silent}
    COUNTED["panels with data"] = f"{len(every) - len(empty)}/{len(every)}"
    COUNTED["queries with data"] = f"{queries - len(silent)}/{queries}"
    assert not silent, "\n".join(f"{title}: {chosen(expr)}" for title, expr in silent)


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_offers_values(stack: Stack, name: str) -> None:
    """What can be chosen at the top of a dashboard is never an empty list."""
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
            assert found is not None
            assert stack.api(f"label/{found[2]}/values", **{"match[]": chosen(found[1])}), (variable["name"], found[1])


@pytest.mark.parametrize("name", BOARDS)
def test_alerts_are_marked(stack: Stack, name: str) -> None:
    """The marks of alerts, PEA's and Prometheus', have something to show while alerts fire."""
    for query in BOARDS[name]["annotations"]["list"]:
        assert shows(stack, query["expr"]), query["name"]


def test_exemplars_lead_to_their_traces(stack: Stack) -> None:
    """Each query with exemplars has some, and the trace that a point names can be opened."""
    asked, opened = 0, 0
    for name, panel in panels():
        for target in (one for one in panel["targets"] if one.get("exemplar")):
            found = stack.api(
                "query_exemplars",
                query=chosen(target["expr"]),
                start=f"{time.time() - 300:.0f}",
                end=f"{time.time():.0f}",
            )
            assert found, f"{name}: {panel['title']}: {chosen(target['expr'])}"
            asked += 1
            newest = max(
                (point for series in found for point in series["exemplars"]), key=lambda point: point["timestamp"]
            )
            trace = fetch(f"{stack.pea.url}/api/traces/{newest['labels']['trace_id']}")
            opened += bool(trace["data"][0]["spans"])
    COUNTED["queries with exemplars that open a trace"] = f"{opened}/{asked}"
    assert asked
    assert opened == asked
