"""No route without a decision on who may use it, and no answer through a wrong scope."""

import re

import pytest

from pea.service.access.scopes import GRANTED, Scope, allows
from pea.service.application import OTHERS, ROUTES, create_app
from pea.service.mcp import routes as mcp_routes
from pea.service.operation import EVENT_STREAM
from pea.service.page import page_routes

ALL = (*ROUTES, *OTHERS, *mcp_routes(), *page_routes())
PUBLIC = {"/healthz", "/readyz", "/problems/{code}", "/v1/session", "/", "/login", "/traces", "/traces/{trace_id}"}
FILLED = {"id": "0" * 24, "trace_id": "0" * 32, "name": "echo", "service": "pea", "code": "internal"}


def _path(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: FILLED.get(match[1], "x"), template)


@pytest.mark.parametrize("operation", ALL, ids=lambda one: f"{one.method} {one.path}")
def test_every_route_says_what_it_takes(operation):
    """Nobody adds a route without deciding who may use it; what changes something takes more than reading."""
    assert operation.scope is not None
    if operation.scope is Scope.PUBLIC:
        assert operation.path in PUBLIC or operation.path.startswith("/page/")
    if operation.method not in ("GET", "HEAD") and operation.path != "/v1/session":
        assert operation.scope in (Scope.SUBMIT, Scope.INGEST, Scope.ADMIN)


async def test_every_route_that_is_served_is_in_the_table(locked):
    """The table above is all there is: a route that was added past it would have no guard."""
    served = {
        (route.method, route.resource.canonical)
        for route in locked.service.app.router.routes()
        if route.method != "HEAD"
    }
    assert served == {(one.method, one.path) for one in ALL} | {("GET", "/openapi.json")}


async def test_only_the_right_scope_gets_in(locked, keys):
    """Without a token 401, with any other scope 403 and nothing of the answer; with the right one neither."""
    wrong = []
    for operation in ALL:
        for name in (None, *GRANTED):
            headers = {} if name is None else keys.show(str(name))
            async with locked.client.request(operation.method, _path(operation.path), headers=headers) as response:
                enough = operation.scope is Scope.PUBLIC or (name is not None and allows([name], operation.scope))
                expected = response.status not in (401, 403) if enough else response.status == (403 if name else 401)
                if not enough:
                    expected &= response.content_type == "application/problem+json"
                    expected &= "Bearer" in response.headers["WWW-Authenticate"]
                if not expected:
                    wrong.append((operation.method, operation.path, name, response.status))
                if operation.media == EVENT_STREAM:
                    response.close()
    assert wrong == []


def test_admin_stands_for_all_and_no_other_scope_for_another():
    """Scopes are what they are called; none includes another but admin."""
    for held in GRANTED:
        for wanted in GRANTED:
            assert allows([held], wanted) is (held in (wanted, Scope.ADMIN))
    assert allows([], Scope.PUBLIC)


async def test_the_document_names_the_scopes(locked, keys):
    """A service that asks for tokens says so in its OpenAPI document, for each operation."""
    _, document = await locked.send("GET", "/openapi.json", headers=keys.show("read"))
    submit = document["paths"]["/v1/tasks"]["post"]
    assert submit["security"] == [{"bearer": []}]
    assert submit["x-scope"] == "submit"
    assert {"401", "403", "429"} <= submit["responses"].keys()
    assert "security" not in document["paths"]["/healthz"]["get"]


async def test_an_undecided_route_takes_admin(monkeypatch, tmp_path):
    """A route whose author has forgotten the scope is for admins only."""
    import msgspec

    from pea.service.access.guarding import scope_of

    assert scope_of(msgspec.structs.replace(ROUTES[0], scope=None)) is Scope.ADMIN


def test_the_application_is_made_without_tokens():
    """Making the application reads no file: `Service` does, when it starts."""
    from pea import Runtime, Settings

    assert create_app(Runtime(Settings(), agents=[])).router.routes()
