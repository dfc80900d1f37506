"""RAML types as JSON Schemas (2020-12). A declared type becomes one named schema; where it is used stands a reference.

Read of RAML 1.0: scalars, objects, arrays, unions, `name?` and `required`, inheritance (flattened), facets, libraries.
What is not understood is refused rather than passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from raml.errors import RamlError
from raml.source import Block

Schema = dict[str, Any]

BUILT_IN: Final[Mapping[str, Schema]] = {
    "any": {},
    "array": {"type": "array"},
    "boolean": {"type": "boolean"},
    "date-only": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "integer": {"type": "integer"},
    "nil": {"type": "null"},
    "number": {"type": "number"},
    "object": {"type": "object"},
    "string": {"type": "string"},
}
FACETS: Final = (
    *("pattern", "minLength", "maxLength", "minimum", "maximum", "multipleOf", "enum", "default"),
    *("minItems", "maxItems", "uniqueItems", "description"),
)
KNOWN: Final = frozenset(
    (*FACETS, "type", "properties", "items", "additionalProperties", "required", "example", "displayName")
)
REFERENCE: Final = "#/components/schemas/"


class Scope:
    """What the names in one file mean: its own declarations and those of the libraries it uses."""

    def __init__(self, tree: Block, libraries: Mapping[str, "Scope"]) -> None:
        self.tree, self.libraries = tree, dict(libraries)

    def find(self, section: str, name: str, place: str) -> tuple["Scope", str, Any]:  # a declaration of the file
        """The scope that declares a name, its bare name, and its declaration. Raises RamlError."""
        alias, _, bare = name.rpartition(".")
        scope = self.libraries.get(alias) if alias else self
        declared = (scope.tree.get(section) or {}) if scope else {}
        if scope is None or bare not in declared:
            raise RamlError(
                place, f"{section} has no {name!r}; known here: {', '.join(self._names(section)) or 'none'}"
            )
        return scope, bare, declared[bare]

    def all(self, seen: set[int] | None = None) -> Iterator["Scope"]:
        """This scope and those of its libraries, each once, a library before what uses it."""
        seen = set() if seen is None else seen
        if id(self) not in seen:
            seen.add(id(self))
            for library in self.libraries.values():
                yield from library.all(seen)
            yield self

    def _names(self, section: str) -> list[str]:
        own = list(self.tree.get(section) or {})
        return own + [
            f"{alias}.{name}" for alias, lib in self.libraries.items() for name in lib.tree.get(section) or {}
        ]


def schemas(scope: Scope) -> dict[str, Schema]:
    """All declared types as named schemas. Raises RamlError; two types of one name are refused."""
    found: dict[str, Schema] = {}
    for each in scope.all():
        for name, declaration in (each.tree.get("types") or {}).items():
            if name in found:
                raise RamlError(each.tree.place, f"the type {name} is declared twice; names must be unique")
            found[name] = schema(declaration, each, each.tree.place)
    return dict(sorted(found.items()))


def examples(scope: Scope) -> dict[str, Any]:
    """The example of each declared type that has one."""
    return {
        name: declaration["example"]
        for each in scope.all()
        for name, declaration in sorted((each.tree.get("types") or {}).items())
        if isinstance(declaration, Block) and "example" in declaration
    }


def schema(declaration: Any, scope: Scope, place: str) -> Schema:  # an expression, a block, or nothing (string)
    """The schema of a type declaration or expression. Raises RamlError."""
    if declaration is None:
        return {"type": "string"}
    if isinstance(declaration, str):
        return _expression(declaration, scope, place)
    if not isinstance(declaration, Block):
        raise RamlError(place, f"found {type(declaration).__name__}; expected a type")
    if unknown := declaration.keys() - KNOWN:
        raise RamlError(declaration.place, f"a type has no facet {', '.join(sorted(unknown))}")
    return _base(declaration, scope) | {facet: declaration[facet] for facet in FACETS if facet in declaration}


def _base(declaration: Block, scope: Scope) -> Schema:
    if "properties" in declaration:
        return _object(declaration, scope)
    if "items" in declaration:
        return {"type": "array", "items": schema(declaration["items"], scope, declaration.place)}
    return _expression(str(declaration.get("type", "string")), scope, declaration.place)


def _object(declaration: Block, scope: Scope) -> Schema:
    """An object with what it inherits, flattened."""
    base = declaration.get("type", "object")
    result: Schema = {"type": "object", "properties": {}, "required": []}
    if base != "object":
        parent_scope, _, parent = scope.find("types", base, declaration.place)
        inherited = schema(parent, parent_scope, declaration.place)
        result = {
            key: inherited[key]
            for key in ("type", "properties", "required", "additionalProperties")
            if key in inherited
        }
        result["required"] = list(result.get("required", ()))
    for key, value in declaration["properties"].items():
        name = key.removesuffix("?")
        result["properties"] = result["properties"] | {name: schema(value, scope, declaration.place)}
        if is_required(key, value):
            result["required"].append(name)
    if "additionalProperties" in declaration:
        result["additionalProperties"] = declaration["additionalProperties"]
    return {key: value for key, value in result.items() if key != "required" or value}


def is_required(key: str, declaration: Any) -> bool:  # a type declaration
    """Whether a property or parameter must be there: yes unless it says otherwise, a default included (RAML 1.0)."""
    return bool(
        declaration.get("required", not key.endswith("?")) if isinstance(declaration, Block) else key[-1] != "?"
    )


def _expression(text: str, scope: Scope, place: str) -> Schema:
    """`A`, `A[]`, `A | B`, `(A | B)[]`."""
    text = text.strip()
    if len(parts := _split(text)) > 1:
        return {"anyOf": [_expression(part, scope, place) for part in parts]}
    if text.endswith("[]"):
        return {"type": "array", "items": _expression(text[:-2], scope, place)}
    if text.startswith("(") and text.endswith(")"):
        return _expression(text[1:-1], scope, place)
    if text in BUILT_IN:
        return dict(BUILT_IN[text])
    _, name, _ = scope.find("types", text, place)
    return {"$ref": REFERENCE + name}


def _split(text: str) -> list[str]:
    """The parts of a union; what stands in parentheses stays together."""
    depth, parts = 0, [""]
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
