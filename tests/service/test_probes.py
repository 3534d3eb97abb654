"""Liveness, readiness and metrics."""


async def test_alive_before_ready(serve, agents):
    """The service answers as soon as it is bound, and is ready when its agents are; until then it says why not."""
    slowly = agents["slowly"]()
    async with serve(slowly, agents["echo"](), ready=False) as site:
        assert (await site.send("GET", "/healthz"))[0].status == 200
        response, problem = await site.send("GET", "/readyz")
        while "loaded" in str(problem):  # the start has only just been asked for
            response, problem = await site.send("GET", "/readyz")
        assert (response.status, problem["type"]) == (503, "/problems/not_ready")
        assert problem["reasons"] == ["agent 'slowly' is starting"]
        response, problem = await site.send(
            "POST", "/v1/tasks", json={"capability": "echo.say", "input": {"words": ""}}
        )
        assert (response.status, problem["type"]) == (503, "/problems/not_ready")
        assert response.headers["Retry-After"] == "1"
        slowly.may_start.set()
        await site.service.ready()
        response, ready = await site.send("GET", "/readyz")
        assert (response.status, ready["status"], ready["agents"]) == (200, "ready", 2)


async def test_ready_without_one_but_not_without_all(serve, agents):
    """One agent that failed is listed and leaves the service ready; when all failed it is not."""
    async with serve(agents["echo"](), agents["broken"]()) as site:
        response, ready = await site.send("GET", "/readyz")
        assert response.status == 200
        assert "the disk is gone" in ready["unavailable"]["broken"]
    async with serve(agents["broken"]()) as site:
        response, problem = await site.send("GET", "/readyz")
        assert response.status == 503
        assert "the disk is gone" in problem["reasons"][0]
    async with serve() as site:
        response, problem = await site.send("GET", "/readyz")
        assert (response.status, problem["reasons"]) == (503, ["no agent is installed"])


async def test_metrics_in_both_formats(site):
    """Prometheus text by default, OpenMetrics with trace exemplars for who asks for it."""
    task = await site.task("echo.say", words="a")
    await site.service.runtime.telemetry.flush()
    async with site.client.get("/metrics") as response:
        assert response.content_type == "text/plain"
        text = await response.text()
    assert 'pea_task_duration_seconds_count{pea_capability="echo.say"' in text
    assert (
        'http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200"' in text
    )
    async with site.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    ) as response:
        assert response.content_type == "application/openmetrics-text"
        text = await response.text()
    assert text.endswith("# EOF\n")
    assert f'trace_id="{task["trace_id"]}"' in text
