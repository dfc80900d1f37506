"""RAML files as trees of blocks that know where they stand; `!include` brings in files of the same folder only.

Only YAML is understood here, not RAML: what the keys mean is the reader's business. Timestamps stay text, keys are
text, a key that stands twice is refused.
"""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from raml.errors import RamlError

HEADERS: Final = {"api": "#%RAML 1.0", "library": "#%RAML 1.0 Library"}


class Block(dict[str, Any]):
    """A mapping of a file; `place` is `file:line`."""

    place: str = ""


class Folder:
    """The folder a contract lives in; nothing outside it can be read. `root` None: the files of this package."""

    def __init__(self, root: Traversable | None = None) -> None:
        self._root = files("raml") if root is None else root

    def text(self, path: str, *, asked_at: str = "") -> str:
        """The text of a file, named from the folder. Raises RamlError."""
        try:
            return self._root.joinpath(*PurePosixPath(path).parts).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RamlError(asked_at or path, f"cannot read {path!r}; expected a UTF-8 file in the folder") from error

    def tree(self, path: str, kind: str, *, asked_at: str = "") -> Block:
        """A RAML file as a block. `kind` is api or library. Raises RamlError."""
        text = self.text(path, asked_at=asked_at)
        header = text.partition("\n")[0].rstrip()
        if header != HEADERS[kind]:
            raise RamlError(f"{path}:1", f"the first line is {header[:40]!r}; expected {HEADERS[kind]!r}")
        return self.parse(text, path)

    def parse(self, text: str, path: str) -> Block:
        """The text of a RAML file as a block. Raises RamlError."""
        loader = _Loader(text)
        loader.folder, loader.path = self, path
        try:
            tree = loader.get_single_data()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise RamlError(f"{path}:{line}", error.problem or "no YAML") from error
        finally:
            loader.dispose()
        if not isinstance(tree, Block):
            raise RamlError(path, "holds no mapping; expected `key: value` lines")
        return tree

    def beside(self, path: str, name: str, *, asked_at: str) -> str:
        """The path of a file named relative to another one. Raises RamlError when it leads out of the folder."""
        parts: list[str] = list(PurePosixPath(path).parent.parts)
        for part in PurePosixPath(name).parts:
            if part == ".." and parts:
                parts.pop()
            elif part in ("..", "/"):
                raise RamlError(asked_at, f"{name!r} leads out of the folder; expected a file inside it")
            else:
                parts.append(part)
        return "/".join(parts)


class _Loader(yaml.SafeLoader):
    folder: Folder
    path: str

    def place(self, node: yaml.Node) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"


def _block(loader: _Loader, node: yaml.MappingNode) -> Block:
    block = Block()
    block.place = loader.place(node)
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in block:
            raise RamlError(loader.place(key_node), f"{key!r} stands twice; expected once")
        block[key] = loader.construct_object(value_node, deep=True)
    return block


def _include(loader: _Loader, node: yaml.ScalarNode) -> Any:  # whatever the file holds
    place = loader.place(node)
    path = loader.folder.beside(loader.path, node.value, asked_at=place)
    text = loader.folder.text(path, asked_at=place)
    if path.endswith(".json"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise RamlError(path, f"no JSON: {error}") from error
    return loader.folder.parse(text, path) if path.endswith((".raml", ".yaml")) else text


_Loader.add_constructor("tag:yaml.org,2002:map", _block)
_Loader.add_constructor("!include", _include)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
