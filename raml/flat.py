"""A contract in one RAML file: libraries merged into it, included files written out. What `/api.raml` serves.

Reading the result gives the same contract; a test says so.
"""

import re
from typing import Any, Final

import yaml

from raml.errors import RamlError
from raml.reader import scope_of
from raml.schemas import Scope
from raml.source import HEADERS, Folder

_MERGED: Final = ("securitySchemes", "types", "traits")
_PROSE: Final = frozenset(
    ("title", "content", "description", "displayName", "example", "default", "enum", "pattern", "usage")
)
"""Keys under which nothing is the name of a type, trait or scheme."""


def flat(name: str, folder: Folder | None = None) -> str:
    """The text of the contract `name` in one file. Raises RamlError."""
    folder = folder or Folder()
    scope = scope_of(folder, name, folder.tree(name, "api"))
    whole: dict[Any, Any] = {
        key: _plain(value, scope) for key, value in scope.tree.items() if key in ("title", "version")
    }
    whole |= {key: _plain(value, scope, key) for key, value in scope.tree.items() if not _is_moved(key)}
    whole |= {section: merged for section in _MERGED if (merged := _merged(scope, section))}
    whole |= {key: _plain(value, scope) for key, value in scope.tree.items() if key.startswith("/")}
    return HEADERS["api"] + "\n" + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _is_moved(key: str) -> bool:
    return key.startswith("/") or key in (*_MERGED, "uses")


def _merged(scope: Scope, section: str) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for each in scope.all():
        for name, declaration in (each.tree.get(section) or {}).items():
            if name in result:
                raise RamlError(each.tree.place, f"{name} is declared twice in {section}; names must be unique")
            result[name] = _plain(declaration, each)
    return result


def _plain(value: Any, scope: Scope, key: str = "") -> Any:  # a piece of a tree
    """A piece of a file as plain YAML, names without the alias of their library."""
    if key in _PROSE:
        return _bare(value)
    if isinstance(value, dict):
        return {_code(name): _plain(item, scope, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, scope) for item in value]
    if isinstance(value, str) and scope.libraries:
        return re.sub(rf"\b(?:{'|'.join(map(re.escape, scope.libraries))})\.(?=\w)", "", value)
    return value


def _bare(value: Any) -> Any:  # JSON, or text
    if isinstance(value, dict):
        return {name: _bare(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value


def _code(name: str) -> int | str:
    return int(name) if name.isdigit() else name


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # whatever is dumped; RAML has no aliases
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
