"""Reads a RAML 1.0 contract into operations and JSON Schemas: the part of the language our contracts use.

Resources with methods, traits, libraries, one bearer scheme, bodies, headers, parameters, responses. Anything else is
refused with its place, so that nothing in a contract is silently without effect.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from raml.errors import RamlError
from raml.schemas import REFERENCE, Schema, Scope, examples, is_required, schema, schemas
from raml.source import Block, Folder

METHODS: Final = ("get", "post", "put", "patch", "delete")
JSON: Final = "application/json"
_METHOD_KEYS: Final = frozenset(
    ("displayName", "description", "queryParameters", "headers", "body", "responses", "is", "securedBy")
)
_RESOURCE_KEYS: Final = frozenset((*METHODS, "displayName", "description", "uriParameters", "is"))
_ROOT_KEYS: Final = frozenset(
    ("title", "version", "description", "mediaType", "protocols", "documentation", "uses", "types", "traits")
) | {"securitySchemes", "securedBy"}


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of the path or query, or a header."""

    name: str
    schema: Schema
    required: bool


class Media(Struct, frozen=True, kw_only=True):
    """A body in one media type. `example` is what it looks like; a type's own example where the body has none."""

    schema: Schema
    example: Any = None  # JSON, or text

    @property
    def type_name(self) -> str | None:
        """The declared type this body is of."""
        reference = self.schema.get("$ref")
        return str(reference).removeprefix(REFERENCE) if reference else None


class Response(Struct, frozen=True, kw_only=True):
    """One status an operation may answer with."""

    description: str = ""
    headers: tuple[Parameter, ...] = ()
    bodies: dict[str, Media] = {}


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    name: str
    description: str
    group: str
    path_parameters: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    bodies: dict[str, Media] = {}
    responses: dict[int, Response] = {}
    secured: bool = True


class Group(Struct, frozen=True, kw_only=True):
    """A top resource with all below it."""

    path: str
    title: str
    description: str


class Api(Struct, frozen=True, kw_only=True):
    """A contract: operations in the order of the file, types by name."""

    title: str
    version: str
    description: str
    chapters: tuple[tuple[str, str], ...]
    bearer: str
    groups: tuple[Group, ...]
    operations: tuple[Operation, ...]
    schemas: dict[str, Schema]
    examples: dict[str, Any]

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation of a method and path template."""
        return next((o for o in self.operations if o.method == method and o.path == path), None)


class _Part(Struct, kw_only=True):
    """What a method, a trait or the security scheme says about a call."""

    query: dict[str, Parameter]
    headers: dict[str, Parameter]
    bodies: dict[str, Media]
    responses: dict[int, Response]


def read(name: str, folder: Folder | None = None) -> Api:
    """The contract `name` (`agr.raml`) of a folder, this package's own by default. Raises RamlError."""
    folder = folder or Folder()
    return api_of(scope_of(folder, name, folder.tree(name, "api")))


def scope_of(folder: Folder, path: str, tree: Block, known: dict[str, Scope] | None = None) -> Scope:
    """What the names of a file mean; its libraries are read, each once. Raises RamlError."""
    scope = Scope(tree, {})
    if known is None:
        known = {}
    else:
        known[path] = scope
    for alias, name in (tree.get("uses") or {}).items():
        library = folder.beside(path, name, asked_at=tree.place)
        if library not in known:
            scope_of(folder, library, folder.tree(library, "library", asked_at=tree.place), known)
        scope.libraries[alias] = known[library]
    return scope


def api_of(scope: Scope) -> Api:
    """The contract of a scope. Raises RamlError."""
    tree = scope.tree
    _only(tree, _ROOT_KEYS, "A contract")
    samples = examples(scope)
    reader = _Reader(scope, samples)
    return Api(
        title=str(tree["title"]),
        version=str(tree["version"]),
        description=str(tree.get("description", "")),
        chapters=tuple((chapter["title"], chapter["content"]) for chapter in tree.get("documentation") or ()),
        bearer=reader.bearer(),
        groups=tuple(
            Group(path=path, title=top.get("displayName", path), description=top.get("description", ""))
            for path, top in tree.items()
            if path.startswith("/")
        ),
        operations=tuple(reader.operations()),
        schemas=schemas(scope),
        examples=samples,
    )


class _Reader:
    """Walks the resources of one contract."""

    def __init__(self, scope: Scope, samples: Mapping[str, Any]) -> None:
        self._scope, self._samples = scope, samples

    def bearer(self) -> str:
        """The description of the security scheme; empty without one."""
        return next((str(scheme.get("description", "")) for _, scheme in self._schemes(self._scope.tree)), "")

    def operations(self) -> Iterator[Operation]:
        for path, resource in self._scope.tree.items():
            if path.startswith("/"):
                yield from self._resource(path, resource or Block(), path, ())

    def _resource(self, path: str, resource: Block, group: str, above: tuple[Parameter, ...]) -> Iterator[Operation]:
        _only(resource, _RESOURCE_KEYS, f"The resource {path}")
        parameters = above + self._parameters(resource.get("uriParameters"), self._scope)
        for method in METHODS:
            if method in resource:
                yield self._operation(path, method, resource, group, parameters)
        for key, below in resource.items():
            if key.startswith("/"):
                yield from self._resource(path + key, below or Block(), group, parameters)

    def _operation(
        self, path: str, method: str, resource: Block, group: str, parameters: tuple[Parameter, ...]
    ) -> Operation:
        block = resource[method] or Block()
        _only(block, _METHOD_KEYS, f"{method.upper()} {path}")
        part = self._part(block, self._scope)
        for name in (*(block.get("is") or ()), *(resource.get("is") or ())):
            scope, _, trait = self._scope.find("traits", name, block.place or resource.place)
            _lay_under(part, self._part(trait, scope))
        schemes = list(self._schemes(block if "securedBy" in block else self._scope.tree))
        for scope, scheme in schemes:
            _lay_under(part, self._part(scheme.get("describedBy") or Block(), scope))
        part.headers.pop("Authorization", None)
        return Operation(
            method=method.upper(),
            path=path,
            name=str(block.get("displayName", f"{method} {path}")),
            description=str(block.get("description", "")),
            group=group,
            path_parameters=tuple(p for p in parameters if f"{{{p.name}}}" in path),
            query=tuple(part.query.values()),
            headers=tuple(part.headers.values()),
            bodies=part.bodies,
            responses=dict(sorted(part.responses.items())),
            secured=bool(schemes),
        )

    def _schemes(self, block: Block) -> Iterator[tuple[Scope, Block]]:
        for name in block.get("securedBy") or ():
            if name is not None:
                scope, _, scheme = self._scope.find("securitySchemes", name, block.place)
                yield scope, scheme

    def _part(self, block: Block, scope: Scope) -> _Part:
        return _Part(
            query={p.name: p for p in self._parameters(block.get("queryParameters"), scope)},
            headers={p.name: p for p in self._parameters(block.get("headers"), scope)},
            bodies=self._bodies(block.get("body"), scope, block.place),
            responses={
                _status(code, block.place): self._response(response or Block(), scope)
                for code, response in (block.get("responses") or {}).items()
            },
        )

    def _response(self, block: Block, scope: Scope) -> Response:
        _only(block, frozenset({"description", "headers", "body"}), "A response")
        return Response(
            description=str(block.get("description", "")),
            headers=self._parameters(block.get("headers"), scope),
            bodies=self._bodies(block.get("body"), scope, block.place),
        )

    def _parameters(self, block: Block | None, scope: Scope) -> tuple[Parameter, ...]:
        return tuple(
            Parameter(
                name=key.removesuffix("?"),
                schema=schema(declaration, scope, (block or Block()).place),
                required=is_required(key, declaration),
            )
            for key, declaration in (block or {}).items()
        )

    def _bodies(self, block: Any, scope: Scope, place: str) -> dict[str, Media]:  # a type, or types by media type
        if block is None:
            return {}
        by_media = block if isinstance(block, Block) and any("/" in key for key in block) else {JSON: block}
        return {media: self._media(declaration, scope, place) for media, declaration in by_media.items()}

    def _media(self, declaration: Any, scope: Scope, place: str) -> Media:  # a type declaration
        of = schema(declaration, scope, place)
        example = declaration.get("example") if isinstance(declaration, Block) else None
        if example is None:
            example = self._samples.get(Media(schema=of).type_name or "")
        return Media(schema=of, example=example)


def _lay_under(part: _Part, base: _Part) -> None:
    """Add what a trait says; what is said already stays."""
    part.query = base.query | part.query
    part.headers = base.headers | part.headers
    part.bodies = base.bodies | part.bodies
    for status, response in base.responses.items():
        own = part.responses.get(status)
        part.responses[status] = _joined(own, response) if own else response


def _joined(own: Response, base: Response) -> Response:
    headers = {p.name: p for p in (*base.headers, *own.headers)}
    return Response(
        description=own.description or base.description,
        headers=tuple(headers.values()),
        bodies=base.bodies | own.bodies,
    )


def _status(code: str, place: str) -> int:
    if not code.isdigit() or not 200 <= int(code) < 600:
        raise RamlError(place, f"the status is {code!r}; expected 200 to 599")
    return int(code)


def _only(block: Block, known: frozenset[str], what: str) -> None:
    unknown = sorted(key for key in block if key not in known and not key.startswith("/"))
    if unknown:
        raise RamlError(block.place, f"{what} has no key {', '.join(unknown)} here")
