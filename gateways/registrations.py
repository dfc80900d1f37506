"""Assets and connection points as their holder registers them (floor 3, pure; F4, R9, R10, R34).

One story for both gateways: the wish becomes a series of a Ref document, the row says pending, the hub's answer makes
it accepted or brings back what was accepted before. Order is by `createdDateTime`; the brain makes it strictly
increasing.
"""

from collections.abc import Iterator
from datetime import date
from typing import assert_never

from msgspec.structs import replace

from documents.codes import ProcessType, PsrType, ReasonCode
from documents.model import RefMarketDocument, RefSeries
from documents.values import Power, Reason
from gateways.commands import ChangeResources, PutResources, RemoveResources, Resource, ResourceChange
from gateways.draft import EPOCH, Draft
from gateways.identity import Identity
from gateways.rows import Registration, Rejection
from gateways.state import Tables
from gateways.verdicts import Outcome
from hub.ports import Row

UNKNOWN = Reason(ReasonCode.RESOURCE_INVALID, "This id is not registered by you. Register it first, with PUT.")
POWERLESS = Reason(
    ReasonCode.QUANTITY_INCONSISTENT, "maxProduction and maxConsumption are both 0. Give at least one that is positive."
)
Wish = PutResources | ChangeResources | RemoveResources


def draft(view: str, command: Wish, known: Tables, who: Identity, today: date) -> Draft:
    """The document of a wish, and the items it cannot hold. A wish of which nothing is left has no document."""
    series: list[RefSeries] = []
    refused: list[Rejection] = []
    for wanted in _wanted(view, command, known, who, today):
        if isinstance(wanted, Rejection):
            refused.append(wanted)
        else:
            series.append(wanted)
    document = RefMarketDocument(
        mrid=command.mrid,
        process=_process(command),
        sender=who.me,
        receiver=who.hub,
        created=EPOCH,
        series=tuple(series),
    )
    return Draft(document=document if series else None, refused=tuple(refused))


def sent(view: str, document: RefMarketDocument, known: Tables, who: Identity) -> Iterator[Row]:
    """Every named resource is now pending."""
    for series in document.series:
        before = known.get(view, series.resource, Registration)
        shown = before.series if before and series.cancelled else series
        pending = Registration(series=shown, confirmed=before.confirmed if before else None, document=document.mrid)
        yield row(view, pending, who)


def answered(view: str, document: RefMarketDocument, outcome: Outcome, known: Tables, who: Identity) -> Iterator[Row]:
    """Settle each resource; one with a later document on its way stays pending and only remembers what was accepted."""
    for series in document.series:
        before = known.get(view, series.resource, Registration)
        if before is None:
            continue
        refusal = outcome.refusal_of(series.resource)
        confirmed = before.confirmed if refusal else None if series.cancelled else series
        if before.document != document.mrid:
            yield row(view, replace(before, confirmed=confirmed), who)
        elif confirmed is not None:
            settled = Registration(
                series=confirmed, confirmed=confirmed, state="accepted", reasons=refusal or (), document=document.mrid
            )
            yield row(view, settled, who)
        elif refusal and not series.cancelled:
            yield row(view, replace(before, state="refused", reasons=refusal), who)
        else:
            # Gone: the removal was accepted, or what the hub never had was asked to be removed.
            yield Row(view=view, audience=who.audience, key=series.resource, payload=None, group=_group(before.series))


def row(view: str, registration: Registration, who: Identity) -> Row:
    """The row of a registration."""
    series = registration.series
    return Row(view=view, audience=who.audience, key=series.resource, payload=registration, group=_group(series))


def _group(series: RefSeries) -> str:
    return series.specific[0] if series.specific else ""


def _process(command: Wish) -> str:
    match command:
        case PutResources():
            return ProcessType.CREATION.value
        case ChangeResources():
            return ProcessType.MODIFICATION.value
        case RemoveResources():
            return ProcessType.DEACTIVATION.value
        case _:
            assert_never(command)


def _wanted(view: str, command: Wish, known: Tables, who: Identity, today: date) -> Iterator[RefSeries | Rejection]:
    match command:
        case PutResources():
            yield from (_new(resource, who, today) for resource in command.resources)
        case ChangeResources():
            for change in command.changes:
                before = known.get(view, change.resource, Registration)
                yield _changed(before.series, change) if before else Rejection(id=change.resource, reasons=(UNKNOWN,))
        case RemoveResources():
            for resource in command.resources:
                before = known.get(view, resource, Registration)
                known_series = before and replace(before.series, cancelled=True)
                yield known_series or Rejection(id=resource, reasons=(UNKNOWN,))
        case _:
            assert_never(command)


def _new(wanted: Resource, who: Identity, today: date) -> RefSeries | Rejection:
    series = RefSeries(
        resource=wanted.resource,
        name=wanted.name,
        psr_type=PsrType.CONNECTION_POINT.value,
        voltage=wanted.voltage,
        owner=who.me.id,
        start_lifetime=today,
        domains=(who.domain,),
    )
    if wanted.point is None:
        return series
    return _powered(replace(series, specific=(wanted.point,)), wanted.max_production or 0, wanted.max_consumption or 0)


def _changed(before: RefSeries, change: ResourceChange) -> RefSeries | Rejection:
    """The whole series with the change in it: a Ref document replaces, it does not merge (R34)."""
    series = replace(
        before,
        name=before.name if change.name is None else change.name,
        voltage=before.voltage if change.voltage is None else change.voltage,
        specific=before.specific if change.point is None else (change.point,),
    )
    if not before.specific:
        return series
    produces = before.max_production if change.max_production is None else change.max_production
    consumes = before.max_consumption if change.max_consumption is None else change.max_consumption
    return _powered(series, produces or 0, consumes or 0)


def _powered(series: RefSeries, produces: Power, consumes: Power) -> RefSeries | Rejection:
    """The series of an asset that can do this much; one that can do nothing is none (R9)."""
    if not produces and not consumes:
        return Rejection(id=series.resource, reasons=(POWERLESS,))
    kinds = {(True, True): PsrType.PRODUCES_AND_CONSUMES, (True, False): PsrType.PRODUCES}
    kind = kinds.get((produces > 0, consumes > 0), PsrType.CONSUMES)
    return replace(series, psr_type=kind.value, max_production=produces or None, max_consumption=consumes or None)
