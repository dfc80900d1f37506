"""Where settings come from: files, environment and flags, merged and checked against sections of any shape (floor 7).

Knows no setting; those stand in `hub.settings`. A kind of settings is a Struct of sections, a section one of values.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec import inspect as types

from hub.errors import SettingsError

PREFIX: Final = "TPS__"


class Secret:
    """Text that shows itself only when asked by name: `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


Kind = TypeVar("Kind", bound=Struct)


class Setting(NamedTuple):
    """One setting, as documentation and messages name it."""

    section: str
    name: str
    env: str
    expected: str
    default: str | None
    description: str

    @property
    def path(self) -> str:
        """The name in `--set` and in messages: `section.name`."""
        return f"{self.section}.{self.name}"


class Effective(NamedTuple):
    """The value that holds for one setting, as it may be shown, and who says so."""

    setting: Setting
    value: str
    source: str


def read(
    kind: type[Kind],
    *,
    known_to: Sequence[type[Struct]],
    toml: Path | None,
    env: Mapping[str, str],
    sets: Sequence[str],
) -> Kind:
    """Read, merge and check the settings of one kind.

    A file and an environment may serve several processes: what is known only to another kind is passed over.

    Raises:
        SettingsError: any value, name or file is wrong, or a required one is missing; the message lists all problems.
    """
    return _read(kind, known_to, toml, env, sets)[0]


def explain(
    kind: type[Struct],
    *,
    known_to: Sequence[type[Struct]],
    toml: Path | None,
    env: Mapping[str, str],
    sets: Sequence[str],
) -> tuple[Effective, ...]:
    """What holds for every setting of a kind, and where it comes from; of a secret only that there is one.

    Raises:
        SettingsError: as `read`.
    """
    settings, given = _read(kind, known_to, toml, env, sets)
    return tuple(
        Effective(
            setting,
            _masked(getattr(getattr(settings, setting.section), setting.name)),
            _origin(given.get((setting.section, setting.name))),
        )
        for setting in describe(kind)
    )


def _read(
    kind: type[Kind],
    known_to: Sequence[type[Struct]],
    toml: Path | None,
    env: Mapping[str, str],
    sets: Sequence[str],
) -> "tuple[Kind, Mapping[_Path, _Given]]":
    every: tuple[type[Struct], ...] = (kind, *known_to)
    reading = _Reading({path for each in every for path in _fields(each)})
    values = reading.from_file(toml) if toml else {}
    values |= reading.from_environment(env)
    values |= reading.from_flags(sets, set(_fields(kind)))
    settings = reading.build(kind, values)
    if settings is None or reading.problems:
        raise SettingsError("\n".join(["The settings cannot be used:", *(f"  {line}" for line in reading.problems)]))
    return settings, values


def describe(kind: type[Struct]) -> tuple[Setting, ...]:
    """Every setting of a kind, in the order of the sections."""
    return tuple(
        Setting(
            section=section,
            name=name,
            env=f"{PREFIX}{section}__{name}".upper(),
            expected=_expected(item.type),
            default=None if item.required else _shown(item.default),
            description=_description(item.type),
        )
        for (section, name), item in _fields(kind).items()
    )


_Path = tuple[str, str]


class _Given(NamedTuple):
    """A value as somebody wrote it, and where."""

    value: Any  # whatever TOML, the environment or a flag can hold
    where: str
    is_text: bool
    folder: Path | None = None


_WRONG: Final = object()
"""Stands for a value whose problem is already noted."""


class _Reading:
    """Collects values and problems from all sources of one load."""

    def __init__(self, known: set[_Path]) -> None:
        self.problems: list[str] = []
        self._known = known
        self._unreadable: set[_Path] = set()

    def problem(self, where: str, found: str, expected: str) -> None:
        self.problems.append(f"{where}: found {found}; expected {expected}.")

    def from_file(self, file: Path) -> dict[_Path, _Given]:
        try:
            tree = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self.problem(str(file), _reason(error), "a TOML file that this user may read")
            return {}
        values = {}
        for section, content in tree.items():
            if not isinstance(content, dict):
                self.problem(f"{file}: {section}", "a value outside any section", f"[section] {section} = ...")
                continue
            for name, value in content.items():
                if self._is_known((section, name), f"{file}: {section}.{name}", self._known):
                    values[section, name] = _Given(
                        value, f"{file}: {section}.{name}", is_text=False, folder=file.parent
                    )
        return values

    def from_environment(self, env: Mapping[str, str]) -> dict[_Path, _Given]:
        values: dict[_Path, _Given] = {}
        for variable in sorted(name for name in env if name.startswith(PREFIX)):
            section, _, name = variable[len(PREFIX) :].lower().partition("__")
            path, text = (section, name), env[variable]
            if path not in self._known and name.endswith("_file"):
                path = (section, name.removesuffix("_file"))
                text = self._content(variable, text, path)
            if not self._is_known(path, variable, self._known):
                continue
            if path in values:
                self.problem(variable, f"a second value beside {values[path].where}", "one of the two")
            values[path] = _Given(text, variable, is_text=True)
        return values

    def from_flags(self, sets: Iterable[str], known: set[_Path]) -> dict[_Path, _Given]:
        values = {}
        for flag in sets:
            setting, equals, text = flag.partition("=")
            section, dot, name = setting.strip().partition(".")
            if not (equals and dot):
                self.problem("--set", repr(setting), "section.name=value")
            elif self._is_known((section, name), f"--set {section}.{name}", known):
                values[section, name] = _Given(text, f"--set {section}.{name}", is_text=True)
        return values

    def build(self, kind: type[Kind], values: Mapping[_Path, _Given]) -> Kind | None:
        sections: dict[str, Struct] = {}
        for section in msgspec.structs.fields(kind):
            fields = {item.name: item for item in msgspec.structs.fields(section.type)}
            converted = {name: self._convert((section.name, name), item, values) for name, item in fields.items()}
            if _WRONG not in converted.values():
                content = {name: value for name, value in converted.items() if value is not msgspec.UNSET}
                sections |= self._section(section.name, section.type, content)
        return kind(**sections) if not self.problems else None

    def _section(self, name: str, struct: type[Struct], content: dict[str, Any]) -> dict[str, Struct]:
        try:
            return {name: struct(**content)}
        except ValueError as error:
            self.problems.append(f"{name}: {error}.")
            return {}

    def _convert(self, path: _Path, item: msgspec.structs.FieldInfo, values: Mapping[_Path, _Given]) -> Any:
        """The value; UNSET when the default holds; _WRONG when a problem was noted."""
        given = values.get(path)
        if path in self._unreadable:
            return _WRONG
        if given is None:
            return self._missing(path, item.type) if item.required else msgspec.UNSET
        try:
            value = msgspec.convert(given.value, item.type, strict=not given.is_text, dec_hook=_decode)
        except msgspec.ValidationError:
            found = "a value that does not fit (not shown)" if _is_secret(item.type) else repr(given.value)
            self.problem(given.where, found, _expected(item.type))
            return _WRONG
        # What a file names stands beside it, so that a component's folder can be moved as a whole.
        return given.folder / value if given.folder and isinstance(value, Path) else value

    def _missing(self, path: _Path, kind: Any) -> object:  # Any: a type form
        variable = f"{PREFIX}{path[0]}__{path[1]}".upper()
        self.problem(".".join(path), "nothing", f"{_expected(kind)}. Set it in the file or as {variable}")
        return _WRONG

    def _content(self, variable: str, file: str, path: _Path) -> str:
        try:
            return Path(file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            self.problem(
                variable, _reason(error), "the name of a file that holds the value and that this user may read"
            )
            self._unreadable.add(path)
            return ""

    def _is_known(self, path: _Path, where: str, known: set[_Path]) -> bool:
        if path in known:
            return True
        names = [".".join(candidate) for candidate in sorted(known)]
        close = difflib.get_close_matches(".".join(path), names, n=1)
        self.problem(where, "an unknown setting", f"{close[0]}" if close else "one of those in docs/operating.md")
        return False


def _fields(kind: type[Struct]) -> dict[_Path, msgspec.structs.FieldInfo]:
    return {
        (outer.name, inner.name): inner
        for outer in msgspec.structs.fields(kind)
        for inner in msgspec.structs.fields(outer.type)
    }


def _decode(kind: type, value: object) -> object:
    if not isinstance(value, str):
        raise TypeError(f"{kind.__name__} is text")
    return Path(value).expanduser() if issubclass(kind, Path) else Secret(value)


def _expected(kind: Any) -> str:  # noqa: C901 - Any: a type form; one arm for each
    match _bare(types.type_info(kind)):
        case types.LiteralType(values=values):
            return "one of " + ", ".join(sorted(str(value) for value in values))
        case types.EnumType(cls=cls):
            return "one of " + ", ".join(str(member.value) for member in cls)
        case types.BoolType():
            return "true or false"
        case types.IntType() as number:
            return f"a whole number{_bounds(number)}"
        case types.FloatType() as number:
            return f"a number{_bounds(number)}"
        case types.CustomType(cls=cls) if issubclass(cls, Path):
            return "a path"
        case types.CustomType():
            return "text, secret"
        case types.StrType(pattern=pattern) if pattern:
            return f"text of the form {pattern}"
        case types.StrType(min_length=least, max_length=most) if least and least == most:
            return f"{least} characters"
        case types.StrType(min_length=least) if least:
            return f"{least} characters or more" if least > 1 else "text"
        case _:
            return "text"


def _bare(info: types.Type) -> types.Type:
    """The type without its description, and without `| None`."""
    if isinstance(info, types.Metadata):
        return _bare(info.type)
    if isinstance(info, types.UnionType):
        return _bare(next(member for member in info.types if not isinstance(member, types.NoneType)))
    return info


def _bounds(number: types.IntType | types.FloatType) -> str:
    if number.ge is not None and number.le is not None:
        return f" from {number.ge} to {number.le}"
    if number.ge is not None:
        return f", {number.ge:g} or more"
    return f" above {number.gt:g}" if number.gt is not None else ""


def _description(kind: Any) -> str:  # Any: a type form
    metas = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, Meta)]
    return next((meta.description for meta in metas if meta.description), "")


def _is_secret(kind: Any) -> bool:  # Any: a type form
    info = _bare(types.type_info(kind))
    return isinstance(info, types.CustomType) and info.cls is Secret


def _shown(default: object) -> str:
    match default:
        case None | "":
            return ""
        case bool():
            return str(default).lower()
        case Secret():
            return default.reveal()
        case _:
            return str(default)


def _masked(value: object) -> str:
    """A value as it may be shown: an enumeration by its word, a secret not at all."""
    if isinstance(value, Secret):
        return "***" if value.reveal() else ""
    return _shown(value.value if isinstance(value, Enum) else value)


def _origin(given: "_Given | None") -> str:
    """In the words of the manual: default, file, environment, --set."""
    if given is None:
        return "default"
    if given.folder is not None:
        return f"file {given.where.rpartition(': ')[0]}"
    return "--set" if given.where.startswith("--set") else f"environment {given.where}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error)
