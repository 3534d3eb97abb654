"""The OpenAPI 3.1 document, made from the routes' declarations, the structs they answer with and the fleet's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from pea.runtime import Capability
from pea.service.access.scopes import Scope
from pea.service.operation import EVENT_STREAM, Answer, Header, Operation
from pea.service.problems import MEDIA, Problem
from pea.service.schemas import accepts_nothing, component_name, input_components
from pea.service.task_json import Submission
from pea.version import __version__

REF = "#/components/schemas/"
EVERYWHERE = (400, 421, 500, 503)  # a malformed request, a foreign host, a fault, and a service that starts or stops

SCHEME = "bearer"
SAFE = ("GET", "HEAD")
_BEARER = {"type": "http", "scheme": "bearer", "description": "A token that `pea tokens add` printed."}

JsonObject = dict[str, Any]


def document(
    routes: Sequence[Operation], capabilities: Mapping[str, Capability], *, locked: bool = False
) -> JsonObject:
    """The document for these routes and capabilities, of a service that asks for tokens when it is ``locked``."""
    bodies = [answer.body for route in routes for answer in route.answers.values() if answer.body is not None]
    bodies += [route.body for route in routes if route.body is not None]
    bodies = list(dict.fromkeys([Problem, *bodies]))
    schemas, components = msgspec.json.schema_components(bodies, ref_template=f"{REF}{{name}}")
    of_type = dict(zip(bodies, schemas, strict=True))
    paths: JsonObject = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of_type, locked=locked)
    found: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": "PEA",
            "version": __version__,
            "summary": "A fleet of agents that does an executive's office work, in which nothing happens unobserved",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {**components, **_submissions(capabilities)}},
    }
    if locked:
        found["components"]["securitySchemes"] = {SCHEME: _BEARER}
    return found


def _operation(route: Operation, of_type: Mapping[Any, JsonObject], *, locked: bool) -> JsonObject:
    found: JsonObject = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "responses": {str(status): _answer(answer, of_type) for status, answer in route.answers.items()},
    }
    if route.description:
        found["description"] = route.description
    parameters = [_parameter(header, "path") for header in route.parameters.values()]
    parameters += _query(route.query)
    parameters += [_parameter(header, "header") for header in route.headers]
    if parameters:
        found["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": of_type[route.body]}}
        found["requestBody"] = {"required": route.needs_body, "content": content}
    negotiated = (406,) if route.media is not None else ()
    for status in sorted({*EVERYWHERE, *route.problems, *negotiated, *_guarded(route, locked=locked)}):
        found["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA: {"schema": of_type[Problem]}},
        }
    if locked and route.scope is not Scope.PUBLIC:
        wanted = route.scope or Scope.ADMIN
        found["security"] = [{SCHEME: []}]
        found["x-scope"] = wanted
        found["description"] = f"{found.get('description', '')} Takes a token with scope `{wanted}`.".strip()
    return found


def _guarded(route: Operation, *, locked: bool) -> set[int]:
    """The statuses of what stands before a handler: another site's page, and a token that is missing or too small."""
    found = {403} if route.method not in SAFE else set()
    return found | {401, 403, 429} if locked and route.scope is not Scope.PUBLIC else found


def _answer(answer: Answer, of_type: Mapping[Any, JsonObject]) -> JsonObject:
    found: JsonObject = {"description": answer.what}
    if answer.media is not None:
        schema = {"type": "string"} if answer.body is None else of_type[answer.body]
        found["content"] = {answer.media: {"schema": _event(schema) if answer.media == EVENT_STREAM else schema}}
    if answer.headers:
        found["headers"] = {
            header.name: {"description": header.what, "schema": dict(header.schema)} for header in answer.headers
        }
    if answer.links:
        found["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in answer.links
        }
    return found


def _event(schema: JsonObject) -> JsonObject:
    """What each event of a stream is, given the schema of its data."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    fields = {"id": {"type": "string"}, "event": {"type": "string"}, "data": data}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _parameter(header: Header, place: str) -> JsonObject:
    return {
        "name": header.name,
        "in": place,
        "required": place == "path",
        "description": header.what,
        "schema": dict(header.schema),
    }


def _query(kind: type[msgspec.Struct]) -> list[JsonObject]:
    """A parameter for each field of the struct that the query is read into."""
    (_,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    properties = components[kind.__name__]["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.get("description", ""),
            "schema": _resolved({k: v for k, v in schema.items() if k != "description"}, components),
        }
        for name, schema in properties.items()
    ]


def _resolved(schema: JsonObject, components: Mapping[str, JsonObject]) -> JsonObject:
    """A parameter's schema with what it refers to written out."""
    return components[schema["$ref"]] if "$ref" in schema else schema


def _submissions(capabilities: Mapping[str, Capability]) -> JsonObject:
    """The body of ``POST /v1/tasks``: one form for each capability, with that capability's input.

    Before the agents have started there are none, and then only the general form is known.
    """
    (_,), general = msgspec.json.schema_components([Submission], ref_template=f"{REF}{{name}}")
    form = general.pop("Submission")
    components: JsonObject = dict(general)
    forms = []
    for name, capability in sorted(capabilities.items()):
        schema, parts = input_components(capability)
        components.update(parts)
        key = f"submit.{component_name(name)}"
        components[key] = {
            **form,
            "title": name,
            "description": capability.summary,
            "properties": {**form["properties"], "capability": {"const": name}, "input": schema},
            "required": ["capability"] if accepts_nothing(capability) else ["capability", "input"],
        }
        forms.append({"$ref": f"{REF}{key}"})
    components["Submission"] = {"oneOf": forms} if forms else form
    return components
