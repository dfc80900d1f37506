"""What can be said against a document: refusing it as a whole, or one of its series (R3)."""

from collections.abc import Collection
from typing import Final

from documents.codes import ReasonCode, Role
from documents.model import Document, Fault
from documents.values import Reason

TEXT_MAX: Final = 512
"""Characters a Reason's text may have."""


class Refused(Exception):
    """This document is refused as a whole."""

    def __init__(self, code: ReasonCode, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code.value, cut(text))


def sender_role(document: Document, allowed: frozenset[Role]) -> str | None:
    """The sender's role, if it may send this kind of document (R2)."""
    role = document.sender.role
    if role not in allowed:
        raise Refused(
            ReasonCode.SENDER_INVALID,
            f"The sender's role {role} may not send this document. Expected: {', '.join(sorted(allowed))}",
        )
    return role


def expect(found: str | None, allowed: Collection[str | None], code: ReasonCode, name: str) -> None:
    """Refuse the document unless what was found is allowed. Raises Refused."""
    if found not in allowed:
        expected = ", ".join(sorted(str(one) for one in allowed if one is not None))
        raise Refused(code, f"Found {name} {found and found[:60]!r}, expected one of {expected}")


def fault(code: ReasonCode, text: str) -> Fault:
    """A finding in one series."""
    return Fault(code.value, text)


def cut(text: str) -> str:
    """As much as a Reason carries."""
    return text[:TEXT_MAX]
