"""Ten thousand posts at once: each gets a clear answer, nothing accepted is lost, the service goes on serving."""

import asyncio
from collections import Counter

import aiohttp

POSTS = 10_000
CONNECTIONS = 100


async def test_ten_thousand_posts_at_once(serve, agents):
    """Every post is accepted or refused with a problem and Retry-After, and every accepted task ends."""
    async with serve(agents["echo"](), runtime__queue=500, runtime__history=POSTS) as site:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(site.service.url, connector=connector) as client:
            answers: Counter[int] = Counter()
            accepted: list[str] = []

            async def post(number: int) -> None:
                body = {"capability": "echo.say", "input": {"words": str(number)}}
                async with client.post("/v1/tasks", json=body) as response:
                    answers[response.status] += 1
                    answer = await response.json(content_type=None)
                    if response.status == 202:
                        accepted.append(answer["id"])
                    else:
                        assert answer["type"] == "/problems/overloaded"
                        assert int(response.headers["Retry-After"]) > 0

            await asyncio.gather(*(post(number) for number in range(POSTS)))
        assert answers.total() == POSTS
        assert set(answers) <= {202, 429}
        scheduler = site.service.runtime.scheduler
        states = Counter([(await scheduler.wait(identity)).state for identity in accepted])
        assert states == {"succeeded": answers[202]}
        assert (scheduler.queued, scheduler.running) == (0, 0)
        assert (await site.send("GET", "/readyz"))[0].status == 200


async def test_a_full_queue_refuses_and_recovers(serve, agents):
    """While nothing can run, posts past the queue are refused at once; when work goes on, so does the service."""
    gate = agents["gate"]()
    async with serve(gate, runtime__concurrency=2, runtime__queue=50) as site:
        body = {"capability": "gate.hold", "input": {}}
        sent = await asyncio.gather(*(site.send("POST", "/v1/tasks", json=body) for _ in range(500)))
        answers = Counter(response.status for response, _ in sent)
        assert answers == {202: 37, 429: 463}  # two run, 35 wait: the room for normal tasks
        gate.open.set()
        for response, task in sent:
            if response.status == 202:
                assert (await site.service.runtime.scheduler.wait(task["id"])).state == "succeeded"
        assert (await site.task("gate.hold"))["result"] == "through"
