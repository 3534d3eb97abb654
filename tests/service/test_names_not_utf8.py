"""An agent that stumbles over a file whose name is not UTF-8 is shown like any other; no page fails with it."""

import pytest
from opentelemetry.trace import get_current_span

from pea import Agent, Context, capability
from pea.errors import Interrupted

NAME = "caf\udce9.txt"  # as os.listdir gives it


class Stumbling(Agent):
    """Quotes the name wherever it may quote something."""

    name = "stumbling"

    @capability("stumbling.read", idempotent=True, retries=0)
    async def read(self, ctx: Context) -> None:
        """Fail."""
        get_current_span().set_attribute("file", NAME)
        raise Interrupted(f"{NAME} cannot be read", where=NAME, fix=f"rename {NAME}")

    async def health(self) -> str | None:
        """Fail too."""
        raise FileNotFoundError(NAME)


@pytest.mark.parametrize("wait", ["wait=5", ""])
async def test_nothing_that_shows_it_fails(serve, tmp_path, wait):
    """Task, lists, dashboard, metrics and every form of the trace."""
    async with serve(Stumbling(), state=str(tmp_path / "state")) as site:
        body = {"capability": "stumbling.read", "input": {}}
        _, task = await site.send("POST", "/v1/tasks", json=body, headers={"Prefer": wait} if wait else {})
        trace, identity = task["trace_id"], task["id"]
        await site.service.runtime.scheduler.wait(identity)
        await site.service.runtime.telemetry.flush()
        for path in (
            *(f"/v1/tasks/{identity}", "/v1/tasks", "/v1/agents", "/v1/agents/stumbling", "/v1/dashboard", "/metrics"),
            *(f"/v1/traces/{trace}", f"/v1/traces/{trace}/otlp", f"/api/traces/{trace}", f"/api/v3/traces/{trace}"),
            *("/v1/traces/search?error=true", "/api/traces?service=pea"),
        ):
            response, told = await site.send("GET", path)
            assert response.status == 200, (path, told)
        _, task = await site.send("GET", f"/v1/tasks/{identity}")
        assert task["error"]["where"] == "caf\\udce9.txt"
        _, agent = await site.send("GET", "/v1/agents/stumbling")
        assert "caf\\udce9.txt" in agent["health"]["problem"]
