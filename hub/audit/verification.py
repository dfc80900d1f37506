"""Whether the log is what was written: an inspection that is shown every record in order. Pure."""

from msgspec import Struct

from hub.audit.records import GENESIS, link
from hub.ports import StoredEvent


class Fault(Struct, frozen=True, kw_only=True):
    """The first thing that is not as it was written: where in the log, and what is wrong."""

    position: int
    text: str


class Inspection:
    """Follows the hash chain; read only: `position` and `chain`, the last record found good."""

    def __init__(self, *, position: int = 0, chain: bytes = GENESIS) -> None:
        """Begin after `position`, whose chain value is trusted."""
        self.position, self.chain = position, chain

    def take(self, event: StoredEvent) -> Fault | None:
        """Look at the next record; after a fault the inspection is over."""
        expected = self.position + 1
        if event.position != expected:
            return Fault(position=expected, text=f"The record is missing; {event.position} follows {self.position}.")
        if event.chain != link(self.chain, event, position=event.position, at=event.at):
            return Fault(
                position=expected, text="The chain value does not follow from the record and the one before it."
            )
        self.position, self.chain = event.position, event.chain
        return None
