"""What a request to the hub asks for, read back from its document (floor 3, pure; R13)."""

from msgspec import Struct

from documents.model import StatusRequestMarketDocument
from documents.values import Identifier


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
