"""The OpenAPI document is true: a fuzzer that believes every word of it finds nothing to contradict it."""

import pytest

from pea.service.application import OTHERS, create_app
from tests.service.contradictions import contradictions

NOISE = {"HEAD", "OPTIONS"}


async def test_schemathesis_finds_nothing(site, gate, tmp_path):
    """Valid and invalid requests, alone and in sequences, are answered as the document says, and none with a 5xx."""
    gate.open.set()
    _, document = await site.send("GET", "/openapi.json")
    phases = "examples,fuzzing,stateful"
    assert await contradictions(site.service.url, document, tmp_path, phases=phases, examples=15) == ""


async def test_every_route_is_in_the_document_and_back(site):
    """What is served but for the page and others' interfaces is documented, and what is documented is served."""
    _, document = await site.send("GET", "/openapi.json")
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, route.resource.canonical)
        for route in site.service.app.router.routes()
        if route.method not in NOISE
    }
    page = {("GET", "/"), ("GET", "/login")} | {route for route in served if route[1].startswith(("/page/", "/traces"))}
    others = {(operation.method, operation.path) for operation in OTHERS}  # OTLP and Jaeger have their own documents
    spoken = {route for route in served if route[1] == "/mcp"}  # and so has the Model Context Protocol
    assert documented == served - page - others - spoken


async def test_each_capability_has_its_own_form(site):
    """The body of POST /v1/tasks is one form per capability, with that capability's own input."""
    _, document = await site.send("GET", "/openapi.json")
    schemas = document["components"]["schemas"]
    forms = [schemas[form["$ref"].rpartition("/")[2]] for form in schemas["Submission"]["oneOf"]]
    assert {form["properties"]["capability"]["const"] for form in forms} == set(
        site.service.runtime.directory.capabilities
    )
    nothing = next(form for form in forms if form["title"] == "echo.nothing")
    assert nothing["required"] == ["capability"]


async def test_a_body_that_may_be_left_out_is_not_required(site):
    """A task is approved without a word; a task is not submitted without one."""
    _, document = await site.send("GET", "/openapi.json")
    needed = {
        operation["operationId"]: operation["requestBody"]["required"]
        for item in document["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    }
    assert {name for name, required in needed.items() if not required} == {"approveTask", "rejectTask"}


async def test_operations_have_unique_names(site):
    """Client generators name functions after operationId."""
    _, document = await site.send("GET", "/openapi.json")
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("ready", [True, False])
async def test_the_document_is_there_before_the_agents(serve, agents, ready):
    """While agents start, only the general form of a task is known."""
    slowly = agents["slowly"]()
    async with serve(slowly, ready=False) as site:
        if ready:
            slowly.may_start.set()
            await site.service.ready()
        response, document = await site.send("GET", "/openapi.json")
        assert response.status == 200
        assert "Submission" in document["components"]["schemas"]
        slowly.may_start.set()
        await site.service.ready()


def test_the_application_can_be_made_without_a_loop(tmp_path):
    """`create_app` needs no running loop, so that other runners can serve it."""
    from pea import Runtime, Settings

    assert create_app(Runtime(Settings(), agents=[])).router.routes()
