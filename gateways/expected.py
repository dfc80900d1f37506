"""What the contract expects at a place of a body or query, for the words of an error (floor 2, pure).

msgspec says where a value does not fit, but not which values would.
"""

import re
from typing import Final

from msgspec import Struct, inspect

_STEP: Final = re.compile(r"\.(?P<field>\w+)|\[[^\]]*\]")


def at(kind: type[Struct], place: str) -> str:
    """The values or names that fit at a place such as `$.series[0].curveType`; empty when they cannot be listed."""
    found: inspect.Type | None = inspect.type_info(kind)
    for step in _STEP.finditer(place):
        found = _inside(found, step["field"])
    match found:
        case inspect.LiteralType():
            return " or ".join(str(value) for value in found.values)
        case inspect.StructType():
            return "only " + ", ".join(field.encode_name for field in found.fields)
        case _:
            return ""


def fields(kind: type[Struct]) -> dict[str, inspect.Type]:
    """The fields of a type by their names in JSON; of a field that may be null, its type when it is not."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: _present(field.type) for field in info.fields}


def _inside(found: inspect.Type | None, name: str | None) -> inspect.Type | None:
    match found:
        case inspect.StructType():
            return next((_present(field.type) for field in found.fields if field.encode_name == name), None)
        case inspect.VarTupleType():
            return found.item_type
        case _:
            return None


def _present(found: inspect.Type) -> inspect.Type:
    """The type of a value that is not null."""
    if not isinstance(found, inspect.UnionType):
        return found
    return next(one for one in found.types if not isinstance(one, inspect.NoneType))
