"""The taxonomy: whose fault an error is, and so who is told (docs/map.md)."""


class Rejected(Exception):
    """The sender's content breaks a rule. `code` is a code of the Reason list; `text` is in the sender's words (R3)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Forbidden(Exception):
    """The sender is not who it says, or its role does not allow this (R2).

    Told as a transport failure and to the security log.
    """


class Mismatch(Exception):
    """The id of a message taken in before, with another content: somebody plays a trick, or lost its count of ids.

    The message goes to the dead letters; the first one stands.
    """


class Conflict(Exception):
    """Somebody else committed first; nobody's fault. Catch up and decide again."""


class Unavailable(Exception):
    """Our surroundings (store, broker) do not answer; the work stays where it is and is tried again."""


class LogCorrupt(Exception):
    """The log contradicts itself. The operator must look; never guess."""


class UnknownEvent(Exception):
    """The log holds an event this version cannot read; the program is older than its log."""


class SettingsError(Exception):
    """Settings that cannot be used; the message lists every problem with place, found and expected."""
