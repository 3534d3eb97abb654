"""What users say of tasks: counted once a task, kept over restarts, told as satisfaction."""

from __future__ import annotations

import pytest

from tests.service.conftest import Echo, Gate


async def satisfaction(site, name: str = "echo"):
    _, board = await site.send("GET", "/v1/dashboard")
    of_agent = next(row for row in board["agents"] if row["name"] == name)
    return board["system"]["business"]["user_satisfaction"], of_agent["metrics"]["business"]["user_satisfaction"]


async def test_scores_become_satisfaction(site):
    """Five and three are three quarters; a second opinion takes the first one's place; nobody's is nobody's."""
    assert await satisfaction(site) == (None, None)
    first, second = [await site.task("echo.say", words="hi") for _ in range(2)]
    for task, score in ((first, 1), (first, 5), (second, 3)):
        response, told = await site.send("POST", f"/v1/tasks/{task['id']}/feedback", json={"score": score})
        assert response.status == 200, told
    assert (told["satisfaction"], told["opinions"], told["agent"]) == (0.75, 2, "echo")
    assert await satisfaction(site) == (0.75, 0.75)
    assert (await satisfaction(site, "gate"))[1] is None


async def test_opinions_outlive_the_service(serve, tmp_path):
    """They are in the activity log, with the comment."""
    async with serve(Echo(), state=str(tmp_path)) as site:
        task = await site.task("echo.say", words="hi")
        await site.send("POST", f"/v1/tasks/{task['id']}/feedback", json={"score": 4, "comment": "terse"})
    async with serve(Echo(), state=str(tmp_path)) as site:
        assert await satisfaction(site) == (0.75, 0.75)
        _, log = await site.send("GET", "/v1/activity?kind=task.feedback")
        assert log["activities"][0]["fields"] == {"task": task["id"], "score": 4, "comment": "terse"}


@pytest.mark.parametrize("body", [{"score": 0}, {"score": 6}, {"score": "5"}, {}, {"score": 5, "stars": 1}, []])
async def test_what_is_no_score_is_refused(site, body):
    """By its field, and nothing is noted."""
    task = await site.task("echo.say", words="hi")
    response, _ = await site.send("POST", f"/v1/tasks/{task['id']}/feedback", json=body)
    assert response.status in (400, 422)
    assert await satisfaction(site) == (None, None)


async def test_only_of_tasks_that_have_ended(site, gate: Gate):
    """A running one is a conflict, an unknown one is not found."""
    task = await site.task("gate.hold", wait=None)
    await gate.waiting.wait()
    response, problem = await site.send("POST", f"/v1/tasks/{task['id']}/feedback", json={"score": 5})
    assert (response.status, "running" in problem["detail"]) == (409, True)
    gate.open.set()
    response, _ = await site.send("POST", f"/v1/tasks/{'0' * 24}/feedback", json={"score": 5})
    assert response.status == 404
