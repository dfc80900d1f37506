"""How the directory says no: the codes of `Rejected` and the words for what must read the same (R1, NF3)."""

from enum import StrEnum
from typing import NoReturn

from hub.errors import Rejected


class Refusal(StrEnum):
    """Why a command cannot be done."""

    TOKEN = "token"  # noqa: S105 - the name of a reason
    UNKNOWN = "unknown"
    STATE = "state"
    INVALID = "invalid"


CLOSED = "This token opens no registration for this code. Ask the operator of the platform for a new one."
"""The one answer for a token that is unknown, used, expired, withdrawn, or for another code."""


def refuse(why: Refusal, text: str) -> NoReturn:
    """Raise Rejected."""
    raise Rejected(why, text)
