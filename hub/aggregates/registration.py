"""What registrations of assets and of points have in common: who owns, in which order, and each only once (R2, R3,
R10).
"""

from typing import Final

from documents.codes import ProcessType, ReasonCode
from documents.identifiers import code_of
from documents.model import Fault
from documents.values import Identifier, Instant
from hub.commands import Origin, PointItem, ResourceItem
from hub.state import HubState

EPOCH_TEXT: Final = "%Y-%m-%dT%H:%M:%SZ"


def check_form(item: PointItem | ResourceItem, subject: Identifier, origin: Origin) -> tuple[Fault, ...]:
    """Findings of the reader, and an owner that is not the sender (R2)."""
    if item.faults:
        return item.faults
    if item.owner != origin.sender:
        text = f"{code_of(subject)} names {code_of(item.owner)} as its owner. Name yourself, {code_of(origin.sender)}."
        return (Fault(ReasonCode.SENDER_INVALID, text),)
    return ()


def check_order(state: HubState, origin: Origin, subject: Identifier, *, is_change: bool) -> tuple[Fault, ...]:
    """A document older than the last one applied changes nothing (R10), nor does an equally old one that differs."""
    last, created = state.ordered.get((origin.sender, subject)), created_of(origin)
    if last is None or created > last or (created == last and not is_change):
        return ()
    text = (
        f"{code_of(subject)} was last set by your document created {last.strftime(EPOCH_TEXT)}; "
        f"this one was created {created.strftime(EPOCH_TEXT)}. Send it again with a later createdDateTime."
    )
    return (Fault(ReasonCode.VERSION_CONFLICT, text),)


def is_new_order(state: HubState, origin: Origin, subject: Identifier) -> bool:
    """Whether the document is later than the last one applied to the subject."""
    last = state.ordered.get((origin.sender, subject))
    return last is None or created_of(origin) > last


def created_of(origin: Origin) -> Instant:
    """When the document was made. Every Ref document says so; its reader refuses one that does not."""
    assert origin.created is not None, "intake reads createdDateTime of every Ref document"
    return origin.created


def named_twice(subject: Identifier) -> tuple[Fault, ...]:
    """The finding for a second series about the same subject."""
    text = f"{code_of(subject)} stands in this document more than once; the first series counts. Name it once."
    return (Fault(ReasonCode.SERIES_IDENTIFICATION_CONFLICT, text),)


def unknown(kind: str, subject: Identifier) -> tuple[Fault, ...]:
    """The finding for what is not the sender's: unknown and foreign read the same."""
    text = f"{kind} {code_of(subject)} is not registered for you. Check the id, or register it first."
    return (Fault(ReasonCode.RESOURCE_INVALID, text),)


def changes_only(origin: Origin) -> bool:
    """Whether the document may change but not create (process A37, R34)."""
    return origin.process == ProcessType.MODIFICATION
