"""What a request to the hub asks for: written into its document, and read back from it (floor 3, pure; R13)."""

from msgspec import Struct

from documents.model import Attribute, StatusRequestMarketDocument
from documents.values import Identifier
from gateways.commands import Ask
from gateways.draft import EPOCH
from gateways.identity import Identity


class Question(Struct, frozen=True):
    """The subject (A95 assets, A67 schedules, A53 limits) and the filters; none asks for everything."""

    subject: str
    resources: tuple[Identifier, ...] = ()
    interval: str | None = None


def question(request: StatusRequestMarketDocument) -> Question:
    """The question of a request."""
    found: dict[str, list[str]] = {}
    for attribute in request.attributes:
        value = f"{attribute.scheme}:{attribute.value}" if attribute.scheme else attribute.value
        found.setdefault(attribute.name, []).append(value)
    return Question(
        subject=found["DocumentType"][0],
        resources=tuple(Identifier(resource) for resource in found.get("RegisteredResource", ())),
        interval=next(iter(found.get("TimeInterval", ())), None),
    )


def request_for(command: Ask, who: Identity) -> StatusRequestMarketDocument:
    """The document that asks so, still without its instant."""
    process = {"A95": "A39", "A67": "A01", "A53": "A26"}[command.subject]
    attributes = [Attribute("DocumentType", command.subject), Attribute("ProcessType", process)]
    if command.interval:
        span = (f"{at:%Y-%m-%dT%H:%MZ}" for at in (command.interval.start, command.interval.end))
        attributes.append(Attribute("TimeInterval", "/".join(span)))
    for resource in command.resources:
        scheme, _, code = resource.partition(":")
        attributes.append(Attribute("RegisteredResource", code, scheme))
    return StatusRequestMarketDocument(
        mrid=command.mrid,
        sender=who.me,
        receiver=who.hub,
        created=EPOCH,
        attributes=tuple(attributes),
    )
