"""A contract as OpenAPI 3.1, for the tools of clients. Derived, never edited: the RAML is the contract."""

from typing import Any

from raml.reader import Api, Media, Operation, Parameter, Response
from raml.schemas import Schema

OpenApi = dict[str, Any]
"""JSON. Not typed further: OpenAPI's own rules say what it holds, and a test holds it to them."""


def openapi(api: Api) -> OpenApi:
    """The OpenAPI document of a contract."""
    paths: dict[str, OpenApi] = {}
    for operation in api.operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    chapters = "".join(f"\n\n## {title}\n\n{content.strip()}" for title, content in api.chapters)
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": api.version, "description": api.description.strip() + chapters},
        "servers": [{"url": "/"}],
        "tags": [{"name": group.path, "description": group.description.strip()} for group in api.groups],
        "paths": paths,
        "components": {
            "schemas": {name: _named(schema, api.examples.get(name)) for name, schema in api.schemas.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": api.bearer.strip()}},
        },
    }


def summary(description: str) -> str:
    """The first sentence of a description."""
    first = description.strip().partition("\n")[0]
    return first.partition(". ")[0].rstrip(".:")


def _operation(operation: Operation) -> OpenApi:
    result: OpenApi = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": summary(operation.description),
        "description": operation.description.strip(),
        "parameters": [
            *(_parameter(parameter, "path") for parameter in operation.path_parameters),
            *(_parameter(parameter, "query") for parameter in operation.query),
            *(_parameter(parameter, "header") for parameter in operation.headers),
        ],
        "responses": {str(status): _response(response) for status, response in operation.responses.items()},
        "security": [{"bearer": []}] if operation.secured else [],
    }
    if operation.bodies:
        result["requestBody"] = {"required": True, "content": _content(operation.bodies)}
    return result


def _parameter(parameter: Parameter, place: str) -> OpenApi:
    schema = dict(parameter.schema)
    result: OpenApi = {"name": parameter.name, "in": place, "required": parameter.required}
    if words := schema.pop("description", ""):
        result["description"] = str(words).strip()
    return result | {"schema": schema}


def _response(response: Response) -> OpenApi:
    result: OpenApi = {"description": response.description.strip()}
    if response.headers:
        result["headers"] = {header.name: _header(header) for header in response.headers}
    if response.bodies:
        result["content"] = _content(response.bodies)
    return result


def _header(header: Parameter) -> OpenApi:
    parameter = _parameter(header, "header")
    return {key: value for key, value in parameter.items() if key not in ("name", "in")}


def _content(bodies: dict[str, Media]) -> OpenApi:
    return {
        kind: {"schema": media.schema} | ({} if media.example is None else {"example": media.example})
        for kind, media in bodies.items()
    }


def _named(schema: Schema, example: Any) -> Schema:  # JSON
    return schema if example is None else schema | {"examples": [example]}
