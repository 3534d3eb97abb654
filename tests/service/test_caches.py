"""The routes of the caches, on an agent whose answers are kept."""

from __future__ import annotations

import aiohttp
import pytest

from pea import Agent, Context, Runtime, capability
from pea.config import load
from pea.service import Service


class Prices(Agent):
    """Counts how often it really worked."""

    name = "prices"

    def __init__(self) -> None:
        self.computed = 0

    @capability("prices.of", cache="15m", tags=["shop:{shop}"])
    async def of(self, ctx: Context, shop: str) -> int:
        """A price."""
        self.computed += 1
        return self.computed


@pytest.fixture
async def api(tmp_path):
    """Send a request to a service with `Prices`, and get status and body."""
    rule = {"on": ["prices-changed"], "drop": ["prices:*"]}
    overrides = {"service.port": 0, "state": str(tmp_path), "cache.invalidation": [rule]}
    runtime = Runtime(load(environ={}, overrides=overrides), agents=[Prices()])
    async with Service(runtime) as service, aiohttp.ClientSession() as session:
        await service.ready()

        async def send(method: str, path: str, body: object = None):
            async with session.request(method, service.url + path, json=body) as response:
                return response.status, await response.json()

        async def price() -> int:
            body = {"capability": "prices.of", "input": {"shop": "a"}}
            headers = {"Prefer": "wait=5"}
            async with session.post(service.url + "/v1/tasks", json=body, headers=headers) as response:
                return (await response.json())["result"]

        send.price = price
        yield send


async def test_caches_are_shown_with_their_hits(api):
    """Each tier and each kind of value says how often it answered."""
    assert [await api.price() for _ in range(4)] == [1, 1, 1, 1]
    status, found = await api("GET", "/v1/caches")
    assert status == 200
    assert found["computations"] == 1
    (prices,) = [space for space in found["namespaces"] if space["counts"]["name"] == "prices:of"]
    assert prices["hit_ratio"] == 0.75
    assert found["memory_bytes"] > 0
    assert {tier["counts"]["tier"] for tier in found["tiers"]} >= {"l1", "l2"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", {"event": "prices-changed"}),
        ("/v1/caches/invalidate", {"pattern": "prices:*"}),
        ("/v1/caches/invalidate", {"pattern": "shop:a"}),
    ],
)
async def test_what_is_stale_is_dropped(api, path, body):
    """After the answer, the old value is never given again."""
    assert await api.price() == 1
    status, dropped = await api("POST", path, body)
    assert status == 200
    assert dropped["removed"] >= 1
    assert dropped["acknowledged"]
    assert await api.price() == 2


async def test_event_that_no_rule_names_drops_nothing(api):
    """It is no mistake to tell of it."""
    assert await api.price() == 1
    status, dropped = await api("POST", "/v1/events", {"event": "rain"})
    assert (status, dropped["patterns"], dropped["removed"]) == (200, [], 0)
    assert await api.price() == 1


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/events", {}, "event"),
        ("/v1/events", {"event": ""}, "event"),
        ("/v1/events", {"event": "x", "varables": {}}, "varables"),
        ("/v1/events", {"event": "x", "variables": {"a": 1}}, "variables[...]"),
        ("/v1/caches/invalidate", [], "body"),
    ],
)
async def test_bad_bodies_name_the_field(api, path, body, where):
    """400, with the place."""
    status, problem = await api("POST", path, body)
    assert (status, problem["where"]) == (400, where)
