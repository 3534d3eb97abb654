"""Tasks over HTTP: submitted, waited for, listed, shown, cancelled."""

import re

import pytest

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_submit_answers_202_with_location(site, gate):
    """A task that is accepted is answered at once, with where to find it."""
    response, task = await site.send("POST", "/v1/tasks", json={"capability": "gate.hold", "input": {}})
    assert response.status == 202
    assert response.headers["Location"] == f"/v1/tasks/{task['id']}" == task["links"]["self"]
    assert task["status"] == "running"
    assert task["agent"] == "gate"
    assert task["ended"] is task["duration_ms"] is task["error"] is None
    assert "result" not in task
    gate.open.set()


async def test_prefer_wait_answers_200_with_the_result(site):
    """`Prefer: wait` answers with the ended task, and says which preference it applied."""
    body = {"capability": "echo.page", "input": {"day": "2026-05-12", "tone": "warm"}, "priority": "high"}
    response, task = await site.send("POST", "/v1/tasks", json=body, headers={"Prefer": "wait=10"})
    assert response.status == 200
    assert response.headers["Preference-Applied"] == "wait=10"
    assert task["result"] == {"day": "2026-05-12", "lines": ["warm"]}
    assert (task["status"], task["priority"]) == ("succeeded", "high")
    assert all(RFC3339.fullmatch(task[name]) for name in ("created", "started", "ended"))
    assert task["duration_ms"] >= 0


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("wait=0", "wait=0"), ('respond-async, wait="0"', "wait=0"), ("wait=soon", None), ("wait=1.5", None), ("", None)],
)
async def test_a_wait_that_is_over_or_not_understood_answers_202(site, gate, prefer, applied):
    """When the wait is over before the task, or is no number of seconds, the task is answered as it stands."""
    body = {"capability": "gate.hold", "input": {}}
    response, task = await site.send("POST", "/v1/tasks", json=body, headers={"Prefer": prefer})
    assert response.status == 202
    assert response.headers.get("Preference-Applied") == applied
    assert task["status"] == "running"
    gate.open.set()


async def test_a_wait_is_bounded_by_the_setting(serve, agents):
    """No request waits longer than service.max_wait, whatever it prefers."""
    gate = agents["gate"]()
    async with serve(gate, service__max_wait="0s") as site:
        body = {"capability": "gate.hold", "input": {}}
        response, _ = await site.send("POST", "/v1/tasks", json=body, headers={"Prefer": "wait=99999"})
        assert (response.status, response.headers["Preference-Applied"]) == (202, "wait=0")
        gate.open.set()


async def test_a_result_that_is_null_is_there(site):
    """A capability that returns nothing gives the result null, which is not the same as none yet."""
    task = await site.task("echo.nothing")
    assert task["status"] == "succeeded"
    assert task["result"] is None


async def test_a_failed_task_says_why(site):
    """What an agent raised is the task's error; the request itself was well."""
    task = await site.task("echo.fail", reason="no ink")
    assert task["status"] == "failed"
    assert task["error"]["code"] == "ValueError"
    assert "no ink" in task["error"]["message"]


async def test_a_deadline_ends_the_task(site):
    """A task that is not done by its deadline is timed out."""
    body = {"capability": "gate.hold", "input": {}, "deadline_ms": 20}
    response, task = await site.send("POST", "/v1/tasks", json=body, headers={"Prefer": "wait=10"})
    assert response.status == 200
    assert task["status"] == "timed_out"
    assert RFC3339.fullmatch(task["deadline"])


async def test_the_same_key_gives_the_same_task(site):
    """A request that is sent again with its Idempotency-Key does not run twice."""
    body = {"capability": "echo.say", "input": {"words": "once"}}
    headers = {"Idempotency-Key": "4f1c", "Prefer": "wait=10"}
    first, one = await site.send("POST", "/v1/tasks", json=body, headers=headers)
    again, other = await site.send("POST", "/v1/tasks", json=body, headers={"Idempotency-Key": "4f1c"})
    assert one == other
    assert first.status == again.status == 200
    body["input"] = {"words": "twice"}
    response, problem = await site.send("POST", "/v1/tasks", json=body, headers=headers)
    assert response.status == 422
    assert problem["type"] == "/problems/idempotency_key_reused"


@pytest.mark.parametrize("key", ["x" * 256, "naïve", "a\tb"])
async def test_a_key_that_is_not_printable_ascii_is_refused(site, key):
    """An Idempotency-Key is 1 to 255 printable ASCII characters."""
    body = {"capability": "echo.say", "input": {"words": "once"}}
    response, problem = await site.send("POST", "/v1/tasks", json=body, headers={"Idempotency-Key": key})
    assert response.status == 400
    assert problem["where"] == "Idempotency-Key"


async def test_list_is_newest_first_and_pages_to_the_end(site):
    """The pages of a list hold every task once, newest first, without results."""
    made = [(await site.task("echo.say", words=str(n)))["id"] for n in range(7)]
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        response, page = await site.send("GET", "/v1/tasks", params=params)
        assert response.status == 200
        assert all("result" not in task for task in page["tasks"])
        seen += [task["id"] for task in page["tasks"]]
        cursor, pages = page["next"], pages + 1
    assert (seen, pages) == (made[::-1], 3)


async def test_list_filters_by_every_index(site, gate):
    """Filters combine, and each is one of the registry's indexes."""
    await site.task("echo.say", words="a")
    await site.task("echo.fail", reason="b")
    held = await site.task("gate.hold", wait=None)

    async def count(**params: str) -> int:
        _, page = await site.send("GET", "/v1/tasks", params=params)
        return len(page["tasks"])

    assert await count() == 3
    assert await count(status="failed") == 1
    assert await count(status="running", agent="gate", capability="gate.hold", priority="normal") == 1
    assert await count(agent="echo") == 2
    assert await count(agent="echo", status="running") == 0
    assert await count(priority="critical") == 0
    assert await count(agent="nobody") == 0
    gate.open.set()
    assert held["status"] == "running"


@pytest.mark.parametrize(
    ("params", "where", "fix"),
    [
        ({"status": "done"}, "status", "one of queued, running"),
        ({"priority": "urgent"}, "priority", "critical"),
        ({"limit": "0"}, "limit", None),
        ({"limit": "201"}, "limit", None),
        ({"limit": "9" * 400}, "limit", None),
        ({"limit": "ten"}, "limit", None),
        ({"cursor": "!"}, "cursor", None),
        ({"cursor": "7ff" + "0" * 37}, "cursor", None),
        ({"cursor": "40" * 200}, "cursor", None),
        ({"statsu": "failed"}, "statsu", "'status'"),
        ([("limit", "1"), ("limit", "2")], "limit", None),
    ],
)
async def test_a_bad_parameter_is_named(site, params, where, fix):
    """A query parameter that cannot be is a 400 that names it, and says what could be."""
    response, problem = await site.send("GET", "/v1/tasks", params=params)
    assert (response.status, problem["type"], problem["where"]) == (400, "/problems/bad_parameter", where)
    assert fix is None or fix in problem["fix"]


async def test_show_gives_the_task_as_it_stands(site):
    """A task can be read after its end."""
    task = await site.task("echo.say", words="hello")
    response, shown = await site.send("GET", task["links"]["self"])
    assert response.status == 200
    assert shown == task
    head, _ = await site.send("HEAD", task["links"]["self"])
    assert head.status == 200


async def test_cancel_ends_a_running_task(site, gate):
    """DELETE takes a running task back; a second time contradicts that it has ended."""
    task = await site.task("gate.hold", wait=None)
    response, cancelled = await site.send("DELETE", task["links"]["self"])
    assert response.status == 200
    assert cancelled["status"] == "cancelled"
    response, problem = await site.send("DELETE", task["links"]["self"])
    assert (response.status, problem["type"]) == (409, "/problems/conflict")


async def test_cancel_of_a_waiting_task_is_immediate(serve, agents):
    """A task that waits for its turn is cancelled without ever having run."""
    gate = agents["gate"]()
    async with serve(gate, runtime__concurrency=1) as site:
        await site.task("gate.hold", wait=None)
        waiting = await site.task("gate.hold", wait=None)
        assert waiting["status"] == "queued"
        _, cancelled = await site.send("DELETE", waiting["links"]["self"])
        assert (cancelled["status"], cancelled["started"]) == ("cancelled", None)
        gate.open.set()


async def test_a_forgotten_task_is_gone(serve, agents):
    """A task that ended and was evicted answers 410 with how it ended; one that never was, 404."""
    async with serve(agents["echo"](), runtime__history=1, runtime__history_keep=0) as site:
        first = await site.task("echo.say", words="a")
        await site.task("echo.say", words="b")
        for method in ("GET", "DELETE"):
            response, problem = await site.send(method, first["links"]["self"])
            assert (response.status, problem["type"]) == (410, "/problems/task_forgotten")
            assert "succeeded" in problem["detail"]
        response, problem = await site.send("GET", "/v1/tasks/nope")
        assert (response.status, problem["type"]) == (404, "/problems/unknown_task")
