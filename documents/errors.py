"""What can be wrong with the form of a document, said so that its sender can mend it."""


class DocumentError(Exception):
    """A document that cannot be read. `where` is a line, element or byte offset; `mend` says what to do."""

    reason_code = "A94"

    def __init__(self, found: str, *, where: str = "", mend: str = "") -> None:
        parts = (found, f"At {where}" if where else "", mend)
        super().__init__(". ".join(part.rstrip(".") for part in parts if part) + ".")
        self.found, self.where, self.mend = found, where, mend


class Malformed(DocumentError):
    """Not well-formed XML, or XML with features that are refused (DTD, entities, encoding tricks, size, depth)."""


class UnknownDocument(DocumentError):
    """Well-formed, but its (namespace, root element) is not in the table of known documents and versions."""


class SchemaInvalid(DocumentError):
    """Well-formed and known, but outside the content model of its version."""


class IdentifierError(ValueError):
    """A code that is no valid identifier of its coding scheme (check character, length, alphabet)."""


class QuantityError(ValueError):
    """A quantity that is not a whole number of watts; it is refused, never rounded."""
