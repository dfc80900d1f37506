"""Whether the log is what was written: an inspection that is shown every record in order. Pure."""

from msgspec import Struct

from hub.audit.leaves import Salts
from hub.audit.merkle import Tree
from hub.audit.records import GENESIS, linked, record_of
from hub.ports import Checkpoint, StoredEvent


class Fault(Struct, frozen=True, kw_only=True):
    """Something that is not as it was written: where in the log, and what is wrong.

    The position is None for a document that no record names.
    """

    position: int | None
    text: str


class Inspection:
    """Follows the hash chain and grows the tree; read only: `position`, `chain` and `tree` as far as all is well."""

    def __init__(self, salts: Salts, *, chain: bytes = GENESIS, tree: Tree | None = None) -> None:
        """Begin after the records of `tree`, the last of which has this chain value."""
        self._salts, self.chain, self.tree = salts, chain, tree or Tree()

    @property
    def position(self) -> int:
        """The last record found good."""
        return self.tree.size

    def take(self, event: StoredEvent) -> Fault | None:
        """Look at the next record; after a fault the inspection is over."""
        expected = self.position + 1
        if event.position != expected:
            return missing(expected)
        try:
            record = record_of(event, position=expected, at=event.at)
        except (ArithmeticError, TypeError):  # a time without end, as only a database can hold it
            return Fault(position=expected, text="The time of the record cannot be.")
        if event.chain != linked(self.chain, record):
            return Fault(
                position=expected, text="The chain value does not follow from the record and the one before it."
            )
        self.chain = event.chain
        self.tree.append(self._salts.leaf(expected, record))
        return None

    def compare(self, checkpoint: Checkpoint) -> Fault | None:
        """Compare with the checkpoint of as many records as were looked at."""
        if checkpoint.root != self.tree.root():
            return Fault(
                position=checkpoint.size,
                text="The records up to here are not those of the signed checkpoint, or `hub.secret` has changed.",
            )
        if checkpoint.peaks != self.tree.to_bytes():
            return Fault(position=checkpoint.size, text="The peaks of the checkpoint are not those of its tree.")
        return None


def missing(position: int, why: str = "") -> Fault:
    """No record is where one must be."""
    return Fault(position=position, text=f"The record is missing. {why}".rstrip())
