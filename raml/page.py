"""A contract as one page to read: no script, nothing from elsewhere, light and dark, works without style.

Its text is that of the contract; everything is escaped, the few marks of Markdown that contracts use become HTML.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from raml.openapi import summary
from raml.reader import Api, Media, Operation, Parameter
from raml.schemas import REFERENCE, Schema

STYLE: Final = files("raml").joinpath("page.css").read_text("utf-8")
STYLE_HASH: Final = "sha256-" + b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(api: Api) -> str:
    """The HTML of a contract."""
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(api.title)}</title><style>{STYLE}</style></head>\n<body>",
            '<a class="skip" href="#content">Skip to the content</a>',
            _navigation(api),
            '<main id="content"><header>',
            f"<h1>{escape(api.title)}</h1>{prose(api.description)}",
            '<p class="files">The same contract for machines: <a href="openapi.json">OpenAPI 3.1</a>, ',
            '<a href="api.raml">RAML 1.0</a>.</p></header>\n',
            *_chapters(api),
            *_groups(api),
            *_types(api),
            "</main></body></html>\n",
        )
    )


def prose(text: str) -> str:
    """Paragraphs and lists with `code`, **bold** and nothing else."""
    blocks = re.split(r"\n\s*\n|\n(?=- )", text.strip())
    return "".join(
        _listed(block) if block.startswith("- ") else f"<p>{_inline(block)}</p>" for block in blocks if block
    )


def _listed(item: str) -> str:
    return f'<p class="item">{_inline(item[2:])}</p>'


def _inline(text: str) -> str:
    """A sentence stands on a line of its own in the files; here they flow."""
    parts = re.split(r"`([^`]+)`", text)
    coded = [f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(parts)]
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", "".join(coded))


def _navigation(api: Api) -> str:
    chapters = "".join(f'<li><a href="#about-{_anchor(title)}">{escape(title)}</a></li>' for title in _titles(api))
    groups = "".join(
        f'<h2><a href="#resource-{_anchor(group.path)}">{escape(group.title)}</a></h2><ul>'
        + "".join(
            f'<li><a href="#{_anchor(o.name)}">{_method(o)}<span>{escape(o.path)}</span></a></li>'
            for o in api.operations
            if o.group == group.path
        )
        + "</ul>"
        for group in api.groups
    )
    types = "".join(f'<li><a href="#type-{name}">{escape(name)}</a></li>' for name in api.schemas)
    kinds = f'<details><summary>Types</summary><ul class="types">{types}</ul></details>'
    return f'<nav aria-label="Contents"><p class="brand">TPS</p><ul>{chapters}</ul>{groups}{kinds}</nav>'


def _titles(api: Api) -> Iterator[str]:
    yield "Access"
    yield from (title for title, _ in api.chapters)


def _chapters(api: Api) -> Iterator[str]:
    for title, content in (("Access", api.bearer), *api.chapters):
        yield f'<section id="about-{_anchor(title)}"><h2>{escape(title)}</h2>{prose(content)}</section>\n'


def _groups(api: Api) -> Iterator[str]:
    for group in api.groups:
        yield f'<section id="resource-{_anchor(group.path)}"><h2>{escape(group.title)}</h2>{prose(group.description)}'
        for operation in api.operations:
            if operation.group == group.path:
                yield from _operation(operation)
        yield "</section>\n"


def _operation(operation: Operation) -> Iterator[str]:
    path = re.sub(r"(\{\w+\})", r"<var>\1</var>", escape(operation.path))
    yield f'<article id="{_anchor(operation.name)}"><h3>{_method(operation)}<code>{path}</code></h3>'
    if not operation.secured:
        yield '<p class="note">Needs no token.</p>'
    yield prose(operation.description)
    yield _parameters("Path", operation.path_parameters)
    yield _parameters("Query", operation.query)
    yield _parameters("Headers", operation.headers)
    if operation.bodies:
        yield "<h4>Body</h4>" + "".join(_media(kind, media) for kind, media in operation.bodies.items())
    yield '<h4>Answers</h4><div class="answers">'
    for status, response in operation.responses.items():
        yield f'<details class="s{status // 100}"><summary><b>{status}</b> {HTTPStatus(status).phrase}'
        yield f"<span>{escape(summary(response.description))}</span></summary>{prose(response.description)}"
        yield _parameters("Headers", response.headers)
        yield "".join(_media(kind, media) for kind, media in response.bodies.items()) + "</details>"
    yield "</div></article>\n"


def _method(operation: Operation) -> str:
    return f'<b class="method {operation.method.lower()}">{operation.method}</b>'


def _parameters(title: str, parameters: Iterable[Parameter]) -> str:
    rows = "".join(_row(p.name, p.schema, is_required=p.required) for p in parameters)
    return f"<h4>{title}</h4>{_table(rows)}" if rows else ""


def _table(rows: str) -> str:
    return f'<div class="wide"><table><tbody>{rows}</tbody></table></div>'


def _row(name: str, schema: Schema, *, is_required: bool) -> str:
    need = "" if is_required else '<span class="optional">optional</span>'
    words = prose(str(schema.get("description", "")))
    return (
        f"<tr><th><code>{escape(name)}</code>{need}</th><td>{_kind(schema)}{_facets(schema)}</td><td>{words}</td></tr>"
    )


def _media(kind: str, media: Media) -> str:
    of = "" if media.schema == {"type": "string"} else f" {_kind(media.schema)}"
    words = prose(str(media.schema.get("description", "")))
    return f'<p class="media"><code>{escape(kind)}</code>{of}</p>{words}{_example(media.example)}'


def _example(example: Any) -> str:  # JSON, or text
    if example is None:
        return ""
    text = example if isinstance(example, str) else _json(example)
    return f'<pre tabindex="0"><code>{escape(str(text).strip())}</code></pre>'


def _json(value: Any, indent: str = "") -> str:
    """JSON with short objects and lists on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= 88 or not isinstance(value, dict | list) or not value:  # a line
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        inner = [f"{deeper}{json.dumps(key)}: {_json(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + _json(item, deeper) for item in value) + f"\n{indent}]"


def _types(api: Api) -> Iterator[str]:
    yield '<section id="types"><h2>Types</h2>'
    for name, schema in api.schemas.items():
        yield f'<article id="type-{name}"><h3>{escape(name)}</h3>{prose(str(schema.get("description", "")))}'
        if "properties" in schema:
            required = schema.get("required", ())
            properties = schema["properties"].items()
            yield _table("".join(_row(key, value, is_required=key in required) for key, value in properties))
        else:
            yield f"<p>{_kind(schema)}{_facets(schema)}</p>"
        yield f"{_example(api.examples.get(name))}</article>\n"
    yield "</section>"


def _kind(schema: Schema) -> str:
    """The type of a schema in words, named types linked."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REFERENCE)
        return f'<a href="#type-{name}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str({"date-time": "instant"}.get(str(schema.get("format")), schema.get("type", "any"))))


def _facets(schema: Schema) -> str:
    """What narrows a type, and what holds when nothing is said."""
    found = [" ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))]
    found += [
        f"{word} {escape(str(schema[facet]))}"
        for facet, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "length from"),
            ("maxLength", "length to"),
            ("minItems", "items from"),
            ("maxItems", "items to"),
        )
        if facet in schema
    ]
    found += [f"like <code>{escape(str(schema['pattern']))}</code>"] if "pattern" in schema else []
    found += [f"default <code>{escape(json.dumps(schema['default']))}</code>"] if "default" in schema else []
    shown = ", ".join(part for part in found if part)
    return f'<div class="facets">{shown}</div>' if shown else ""


@cache
def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text).strip("-").lower()
