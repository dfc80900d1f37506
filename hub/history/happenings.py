"""Every event in one line, and whom it is about, as an operator or a regulator reads it (pure)."""

from collections.abc import Callable
from typing import Any, Final

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.values import Identifier
from hub import events as e
from hub.aggregates.market_document import listed
from hub.commands import Origin
from hub.history.wording import capability, part, reasons, span, watts
from hub.restored import StoreRestored

WORDS: Final = {
    ReasonCode.FULLY_ACCEPTED.value: "accepted",
    ReasonCode.PARTLY_REJECTED.value: "accepted in part",
    ReasonCode.FULLY_REJECTED.value: "refused",
}


def happened(event: e.Event) -> str:
    """What happened, in one line."""
    return TOLD[type(event)](event)


def concerned(event: e.Event) -> tuple[Identifier, ...]:
    """The participants an event is about, each once, who acted first."""
    named = [getattr(event, name, None) for name in ("participant", "operator", "dso", "previous", "brp", "receiver")]
    origin = getattr(event, "origin", None)
    if isinstance(origin, Origin):
        named.insert(0, origin.sender)
    return tuple(dict.fromkeys([one for one in named if one] + list(getattr(event, "operators", ()))))


def _verdict(event: e.DocumentAnswered) -> str:
    told = [f"judged {event.verdict} ({WORDS.get(event.verdict, 'answered')})", _revision(event.origin)]
    if event.reasons:
        told.append(reasons(event.reasons))
    told.extend(f"series {one.mrid}: {reasons(one.reasons)}" for one in event.rejected)
    return "; ".join(filter(None, told))


def _revision(origin: Origin) -> str:
    return f"revision {origin.revision}" if origin.revision else ""


def _announced(event: e.LimitAnnounced) -> str:
    shares = [
        f"{part(share)} for {code_of(operator)}" for share, operator in zip(event.shares, event.operators, strict=True)
    ]
    said = "; ".join(f"{watts(one.periods)} for {_assets(one.assets)}" for one in event.series)
    return (
        f"foreseen limit revision {event.revision}, {event.direction}, {span(event.interval)}: {said}; "
        f"divided by {event.policy}: {listed(shares)}"
    )


def _ordered(event: e.LimitOrdered) -> str:
    orders = listed([part(order) for order in event.orders])
    return f"unforeseen limit revision {event.revision}, {event.direction}, {span(event.interval)}: {orders}"


def _cancelled(event: e.LimitCancelled) -> str:
    return f"limit cancelled with revision {event.revision}" + ("" if event.kind else ", before it ever came")


def _asked(event: e.StatusRequested) -> str:
    found = "nothing found" if event.empty else "data found"
    return f"asked for {event.subject}{' of ' + _assets(event.resources) if event.resources else ''}: {found}"


def _assets(ids: tuple[Identifier, ...]) -> str:
    return listed([code_of(one) for one in ids])


TOLD: Final[dict[type, Callable[[Any], str]]] = {  # each takes the event it stands under
    e.ParticipantAdded: lambda event: f"{event.role} {code_of(event.participant)} admitted by {event.by}",
    e.ParticipantSuspended: lambda event: f"{code_of(event.participant)} suspended by {event.by}: {event.why}",
    e.ParticipantResumed: lambda event: f"{code_of(event.participant)} resumed by {event.by}: {event.why}",
    e.PointRegistered: lambda event: f"point {code_of(event.point)} registered by {code_of(event.dso)}",
    e.PointRemoved: lambda event: f"point {code_of(event.point)} removed by {code_of(event.dso)}",
    e.PointReassigned: lambda event: (
        f"point {code_of(event.point)} handed from {code_of(event.previous)} to {code_of(event.dso)} "
        f"by {event.by}: {event.why}"
    ),
    e.ResourceRegistered: lambda event: (
        f"asset {code_of(event.resource)} registered by {code_of(event.operator)} at point {code_of(event.point)}, "
        f"{capability(event.capability)}"
    ),
    e.ResourceRemoved: lambda event: f"asset {code_of(event.resource)} removed by {code_of(event.operator)}",
    e.ResourceReassigned: lambda event: (
        f"asset {code_of(event.resource)} handed from {code_of(event.previous)} to {code_of(event.operator)} "
        f"by {event.by}: {event.why}"
    ),
    e.LimitAnnounced: _announced,
    e.LimitOrdered: _ordered,
    e.LimitCancelled: _cancelled,
    e.ScheduleSubmitted: lambda event: (
        f"schedule of asset {code_of(event.resource)}, revision {event.revision}, {watts(event.periods)}"
    ),
    e.ScheduleWithdrawn: lambda event: (
        f"schedule of asset {code_of(event.resource)} withdrawn, revision {event.revision}"
    ),
    e.StatusRequested: _asked,
    e.DocumentAnswered: _verdict,
    e.DocumentRepeated: lambda event: f"came again{', ' + _revision(event.origin) if event.origin.revision else ''}",
    e.PushAcknowledged: lambda event: (
        f"{code_of(event.participant)} answered {event.verdict} to document {event.document}"
    ),
    e.HolderConflictNoted: lambda event: (
        f"{code_of(event.participant)} tried to register {code_of(event.subject)}, which another one holds"
    ),
    e.MessageQuarantined: lambda event: f"message {event.message_id} set aside: it failed with {event.error}",
    e.AlarmRaised: lambda event: f"alarm {event.subject}: {event.text}",
    e.PayloadsErased: lambda event: f"{len(event.digests)} raw documents erased by {event.by}: {event.why}",
    e.MessageRetried: lambda event: (
        f"message {event.message_id} for {code_of(Identifier(event.receiver))} sent again"
        f"{f' as {event.again}' if event.again else ''} by {event.by}: {event.why}"
    ),
    e.ViewsRebuilt: lambda event: (
        f"views {listed(event.projections)} made good by {event.by}: {event.why} "
        f"(items {event.items:,}, keys {event.keys:,} were not as the log says)"
    ),
    StoreRestored: lambda event: (
        f"the store brought back by {event.by} from a backup of {event.made:%Y-%m-%dT%H:%M:%SZ}: {event.why}"
    ),
}
"""Every kind of event in words."""
