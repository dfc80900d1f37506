"""What a look at a component has found wrong (floor 7; docs/operating.md)."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """Something that is not as it must be: where, what was found, what was expected, what to do."""

    where: str
    found: str
    expected: str
    do: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}. {self.do}"
