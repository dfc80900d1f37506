"""What the routes of both gateways share: (floor 7).

Documents sent and their story, one resource by its id, small checks.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from documents.errors import IdentifierError
from documents.values import Identifier
from gateways.bodies import MessageBody, TraceStepBody
from gateways.gateway import Gateway
from gateways.outbound import shown_reasons
from gateways.problems import ProblemError, invalid, unknown
from gateways.reading import Found
from gateways.rest import Call, Route, answer
from gateways.rows import Registration
from hub.ports import MessageState


class Named(Protocol):
    """A wish about one resource."""

    @property
    def resource(self) -> Identifier:
        """Which."""


N = TypeVar("N", bound=Named)
B = TypeVar("B", bound=Struct)


async def get_message(gateway: Gateway, call: Call) -> web.Response:
    """Delivery and verdict of a document I sent (R29, R35)."""
    mrid = call.path("mrid")
    message = await gateway.outbound.newest(mrid)
    if message is None:
        raise unknown()
    statuses = await gateway.store.outbox.status(mrid)
    # A held document (R10) has no message yet: it is accepted, nothing more.
    last = statuses[-1] if statuses else None
    body = MessageBody(
        mrid=mrid,
        revision=message.revision,
        type=message.type,
        state=(last.state if last else MessageState.ACCEPTED).value,
        verdict=message.verdict,
        reasons=shown_reasons(message.reasons),
        rejected=gateway.outbound.rejected(message.rejected),
        reason=last.reason if last else None,
        trace=tuple(
            TraceStepBody(
                at=step.at,
                component=gateway.who.show(Identifier(step.component)),
                state=step.state,
                details=step.details,
            )
            for step in (last.trace if last else ())
        ),
    )
    return answer(body)


async def known(gateway: Gateway, call: Call, view: str) -> Found[Registration]:
    """The resource the path names. Raises ProblemError (404) for what is unknown or no id at all."""
    try:
        found = await gateway.reader.get(view, gateway.who.read(call.path("id")), Registration)
    except IdentifierError:
        raise unknown() from None
    if found is None:
        raise unknown()
    return found


async def any_known(gateway: Gateway, view: str, resources: Sequence[Identifier]) -> bool:
    """Whether one or more of these are registered here."""
    for resource in resources:
        if await gateway.reader.get(view, resource, Registration):
            return True
    return False


def named(body: B, key: str) -> B:
    """A change with the id of its path. Raises ProblemError when the body names another."""
    given: Any = body  # both gateways' patches have an `id`
    if given.id is not None and given.id not in (key, key.partition(":")[2]):
        raise invalid("$.id", f"{given.id!r} is not the id of the path; leave it out, or give the same.")
    return replace(body, id=key)


def distinct(wishes: Sequence[N], at: str) -> tuple[N, ...]:
    """The wishes, when no resource is named twice. Raises ProblemError (422)."""
    seen: set[Identifier] = set()
    for number, wish in enumerate(wishes):
        if wish.resource in seen:
            raise invalid(f"{at}[{number}].id", f"{wish.resource} is named twice; expected each id once.")
        seen.add(wish.resource)
    return tuple(wishes)


def other_mrid(given: str, expected: str) -> ProblemError:
    """A body whose mRID is not that of its path."""
    return invalid("$.mrid", f"{given} is not the mRID of the path, {expected}; leave it out, or give the same.")


def table(routes: Sequence[Route]) -> Sequence[web.RouteDef]:
    """Method and path of routes, as aiohttp knows them."""

    async def nowhere(_: web.Request) -> web.Response:
        raise web.HTTPNotFound

    return [web.route(route.method, route.path, nowhere) for route in routes]
