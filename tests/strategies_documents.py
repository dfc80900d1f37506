"""Hypothesis strategies for every document of the model, in normal form: what is written is read back equal."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st
from stdnum import ean
from stdnum.eu import eic

from documents.codes import Action, action_reason
from documents.curves import compress, duration
from documents.model import (
    AcknowledgementMarketDocument,
    AssetReference,
    Attribute,
    GlMarketDocument,
    GlSeries,
    InErrorPeriod,
    Party,
    ProblemStatementMarketDocument,
    ReceivedDocument,
    RefMarketDocument,
    RefSeries,
    RejectedSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Period, Power, Reason

RESOLUTIONS = ("PT1M", "PT5M", "PT15M", "PT30M", "PT60M", "PT1H", "PT30S")
SIGNED, PRODUCTION, CONSUMPTION = "A07", "A01", "A04"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_DIGITS = "0123456789"


def _with_eic_check(body: str) -> str:
    return body + eic.calc_check_digit(body)


def eic_codes(letter: str) -> st.SearchStrategy[str]:
    """Valid EICs of one type: X party, Y area, W resource, Z measurement point."""
    bodies = st.builds(
        lambda office, rest: f"{office}{letter}{rest}",
        st.text(_DIGITS, min_size=2, max_size=2),
        st.text(_ALPHABET, min_size=12, max_size=12),
    )
    return bodies.map(_with_eic_check).filter(eic.is_valid)


def gs1_codes(length: int) -> st.SearchStrategy[str]:
    """Valid GLNs (13) or GSRNs (18)."""
    bodies = st.text(_DIGITS, min_size=length - 1, max_size=length - 1)
    return bodies.map(lambda body: body + ean.calc_check_digit(body))


def texts(max_size: int, *, min_size: int = 0) -> st.SearchStrategy[str]:
    """Text as a document can carry it: any character of XML 1.0, trimmed."""
    characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")) | st.sampled_from("&<>\"'\t\n\r]")
    return (
        st.text(characters, max_size=max_size)
        .map(lambda text: text.strip(" \t\r\n"))
        .filter(lambda text: len(text) >= min_size)
    )


party_ids = st.one_of(eic_codes("X").map("A01:{}".format), gs1_codes(13).map("A10:{}".format)).map(Identifier)
area_ids = eic_codes("Y").map(lambda code: Identifier(f"A01:{code}"))
resource_ids = st.one_of(
    gs1_codes(18).map("A10:{}".format),
    eic_codes("W").map("A01:{}".format),
    st.text(_ALPHABET + "abc_.:/", min_size=1, max_size=60).map("NDK:{}".format),
).map(Identifier)
mrids = st.uuids().map(lambda uuid: uuid.hex)
revisions = st.integers(1, 999)
powers = st.integers(0, 5_000_000_000)
days = st.dates(date(1990, 1, 1), date(2100, 1, 1))
seconds = st.integers(0, 2**31).map(lambda count: _EPOCH + timedelta(seconds=count))
minutes = st.integers(0, 40_000_000).map(lambda count: _EPOCH + timedelta(minutes=count))
intervals = st.builds(
    lambda start, length: Interval(start, start + timedelta(minutes=length)), minutes, st.integers(1, 60 * 24 * 400)
)
senders = st.builds(Party, party_ids, st.sampled_from(("A50", "A27", "A08", "A32")))
reasons = st.builds(Reason, st.sampled_from(("A95", "B18", "B19", "A20", "999")), st.none() | texts(100))
action_reasons = st.sampled_from(get_args(Action)).map(action_reason)


def tuples(
    elements: st.SearchStrategy[Any], *, min_size: int = 0, max_size: int = 3
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Tuples of any kind of value; hypothesis' own lists turned."""
    return st.lists(elements, min_size=min_size, max_size=max_size).map(tuple)


@st.composite
def curves(
    draw: st.DrawFn, quantities: st.SearchStrategy[Power] = powers, *, min_size: int = 0, max_size: int = 3
) -> tuple[Period, ...]:
    """Periods in order of time that do not overlap, with whole minutes at both ends."""
    periods: list[Period] = []
    start = draw(minutes)
    for _ in range(draw(st.integers(min_size, max_size))):
        resolution = draw(st.sampled_from(RESOLUTIONS))
        count = draw(st.integers(1, 6)) * 2
        end = start + duration(resolution) * count
        values = draw(st.lists(quantities, min_size=count, max_size=count))
        periods.append(Period(Interval(start, end), resolution, compress(values)))
        start = end + timedelta(minutes=draw(st.integers(0, 90)))
    return tuple(periods)


def hull(spans: list[Interval], otherwise: Interval) -> Interval:
    """Return the smallest interval around all of them."""
    if not spans:
        return otherwise
    return Interval(min(span.start for span in spans), max(span.end for span in spans))


ref_series = st.builds(
    RefSeries,
    resource=resource_ids,
    name=texts(60),
    location=st.none() | texts(60),
    psr_type=st.sampled_from(("A03", "A04", "A05", "A11")),
    voltage=st.sampled_from(("0", "0.4", "10", "60", "132")),
    cancelled=st.booleans(),
    description=st.none() | texts(60),
    owner=party_ids,
    start_lifetime=days,
    end_lifetime=st.none() | days,
    max_production=st.none() | powers,
    max_consumption=st.none() | powers,
    domains=tuples(area_ids, min_size=1, max_size=2),
    coordination=tuples(party_ids, max_size=2),
    specific=tuples(resource_ids, max_size=2),
    faults=st.just(()),
)
ref_documents = st.builds(
    RefMarketDocument,
    mrid=mrids,
    type=st.just("A95"),
    process=st.sampled_from(("A36", "A37", "A38", "A39")),
    sender=senders,
    receiver=senders,
    created=seconds,
    series=tuples(ref_series, min_size=1),
)


@st.composite
def gl_series(draw: st.DrawFn) -> GlSeries:
    """A series of a schedule; its quantities have the signs its business type allows."""
    business_type = draw(st.sampled_from((SIGNED, PRODUCTION, CONSUMPTION)))
    signs: dict[str, Callable[[Power], Power]] = {PRODUCTION: abs, CONSUMPTION: lambda power: -abs(power)}
    quantities = st.integers(-5_000_000_000, 5_000_000_000).map(signs.get(business_type, int))
    cancelled = draw(st.booleans())
    return GlSeries(
        mrid=draw(mrids),
        business_type=business_type,
        in_domain=draw(st.none() | area_ids),
        out_domain=draw(st.none() | area_ids),
        resource=draw(st.none() | resource_ids),
        curve=draw(st.sampled_from(("A01", "A03"))),
        cancelled=cancelled,
        periods=() if cancelled else draw(curves(quantities, min_size=1)),
    )


@st.composite
def gl_documents(draw: st.DrawFn) -> GlMarketDocument:
    """A schedule whose interval holds all its series."""
    series = draw(tuples(gl_series(), min_size=1))
    spans = [period.interval for one in series for period in one.periods]
    return GlMarketDocument(
        mrid=draw(mrids),
        revision=draw(revisions),
        process=draw(st.sampled_from(("A01", "A14", "A17", "A18", "A40"))),
        sender=draw(senders),
        receiver=draw(senders),
        created=draw(seconds),
        interval=hull(spans, draw(intervals)),
        series=series,
    )


@st.composite
def unavailability_series(draw: st.DrawFn) -> UnavailabilitySeries:
    """A series of an outage whose interval holds its Periods."""
    periods = draw(curves())
    assets = st.builds(AssetReference, resource_ids, st.none() | st.sampled_from(("A03", "A04")), st.none() | texts(40))
    return UnavailabilitySeries(
        mrid=draw(mrids),
        business_type=draw(st.sampled_from(("A53", "A54"))),
        interval=hull([period.interval for period in periods], draw(intervals)),
        curve=draw(st.sampled_from(("A01", "A03"))),
        assets=draw(tuples(assets)),
        periods=periods,
        reasons=draw(tuples(reasons | action_reasons, max_size=2)),
    )


@st.composite
def unavailability_documents(draw: st.DrawFn) -> UnavailabilityMarketDocument:
    """An outage document whose interval holds all its series."""
    series = draw(tuples(unavailability_series()))
    return UnavailabilityMarketDocument(
        mrid=draw(mrids),
        revision=draw(revisions),
        type=draw(st.sampled_from(("A53", "A76", "A80"))),
        created=draw(seconds),
        sender=draw(senders),
        receiver=draw(senders),
        interval=hull([one.interval for one in series], draw(intervals)),
        status=draw(st.sampled_from((None, "A05", "A09", "A13"))),
        series=series,
        reasons=draw(tuples(reasons)),
    )


status_requests = st.builds(
    StatusRequestMarketDocument,
    mrid=mrids,
    type=st.just("A59"),
    sender=senders,
    receiver=senders,
    created=seconds,
    attributes=tuples(
        st.builds(
            Attribute,
            st.sampled_from(("DocumentType", "ProcessType", "TimeInterval", "RegisteredResource")),
            texts(150),
            st.sampled_from((None, "A01", "A10", "NDK")),
        ),
        min_size=1,
    ),
)
in_error_periods = st.builds(InErrorPeriod, intervals, tuples(reasons, min_size=1, max_size=2))
acknowledgements = st.builds(
    AcknowledgementMarketDocument,
    mrid=mrids,
    created=seconds,
    sender=senders,
    receiver=st.builds(Party, party_ids, st.sampled_from(("A50", "A27", None))),
    received=st.builds(
        ReceivedDocument,
        mrid=st.none() | mrids,
        revision=st.none() | revisions,
        type=st.sampled_from((None, "A95", "A67", "A53")),
        process=st.sampled_from((None, "A01", "A36")),
        title=st.none() | texts(100),
        created=st.none() | seconds,
    ),
    rejected=tuples(
        st.builds(
            RejectedSeries,
            mrid=mrids | texts(60),
            version=st.none() | revisions.map(str),
            in_error=tuples(in_error_periods, max_size=2),
            reasons=tuples(reasons, max_size=2),
        )
    ),
    reasons=tuples(reasons, min_size=1),
    in_error=tuples(in_error_periods, max_size=2),
)
problem_statements = st.builds(
    ProblemStatementMarketDocument,
    mrid=mrids,
    revision=revisions,
    type=st.just("A53"),
    sender=senders,
    receiver=senders,
    created=seconds,
    interval=intervals,
    expected_type=st.sampled_from(("A53", "A67")),
    expected_created=seconds,
    reasons=tuples(reasons, min_size=1),
)

documents = st.one_of(
    ref_documents, gl_documents(), unavailability_documents(), status_requests, acknowledgements, problem_statements
)
"""Any document of the model."""
