"""Intake: every document becomes exactly one command, or a refusal with its reason (R2, R14, R15, R26, R27)."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from documents import registry
from documents.model import (
    Attribute,
    Document,
    GlMarketDocument,
    Party,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Identifier, Interval, Period, Point, Reason
from hub import commands, intake
from hub.commands import Command
from hub.mades.message import BusinessType
from hub.values import Action, Capability, Direction, LimitKind

HUB = Identifier("A01:45X-TPS-HUB-DEM8")
AGR = Identifier("A01:45X-AGR-ONE-DEMO")
DSO = Identifier("A10:5790000000005")

D = TypeVar("D", bound=Document)
Example = Callable[[str], bytes]


@pytest.fixture
def example(shared: Path) -> Example:
    """The bytes of a mapping example by its number."""
    folder = shared / "standards" / "mapping-examples"

    def read(number: str) -> bytes:
        (path,) = folder.glob(f"{number}_*.xml")
        return path.read_bytes()

    return read


def take(content: bytes, business_type: str, sender: Identifier) -> Command:
    envelope = intake.Envelope(sender=sender, business_type=business_type, message_id="message1")
    return intake.read(content, envelope=envelope, hub=HUB)


def changed(content: bytes, kind: type[D], **fields: object) -> bytes:
    """An example with some fields of its header changed."""
    document = registry.read(content)
    assert isinstance(document, kind)
    return registry.render(replace(document, **fields))


def refusal(command: Command) -> Reason:
    """The one reason of a refusal."""
    assert isinstance(command, commands.RefuseDocument)
    (reason,) = command.reasons
    return reason


def test_an_asset_registration_sets_capability_point_and_owner(example: Example) -> None:
    command = take(example("01"), "TPS-ASSETS", AGR)

    assert isinstance(command, commands.RegisterResources)
    assert command.origin.sender == AGR
    assert command.origin.digest == hashlib.sha256(example("01")).hexdigest()
    assert (command.origin.mrid, command.origin.process, command.origin.role) == ("a1" * 16, "A36", "A27")
    heat_pump, chp = command.items
    assert (heat_pump.resource, heat_pump.point) == ("A10:571313100000000010", "A10:571313199000000014")
    assert heat_pump.capability == Capability(0, 500_000)
    assert chp.capability == Capability(4_500_000, 120_000)
    assert (chp.owner, chp.psr_type, chp.voltage, chp.remove, chp.faults) == (AGR, "A03", "10", False, ())


def test_an_asset_removal_removes(example: Example) -> None:
    command = take(example("02"), "TPS-ASSETS", AGR)

    assert isinstance(command, commands.RegisterResources)
    assert [item.remove for item in command.items] == [True]


def test_connection_points_come_from_a_dso(example: Example) -> None:
    command = take(example("03"), "TPS-POINTS", DSO)

    assert isinstance(command, commands.RegisterPoints)
    assert [item.point for item in command.items] == ["A10:571313199000000014", "A10:571313199000000021"]
    assert all(item.owner == DSO and not item.remove for item in command.items)


def test_a_request_asks_for_assets_or_schedules(example: Example) -> None:
    assets, plans = take(example("04"), "TPS-REQUEST", DSO), take(example("11"), "TPS-REQUEST", DSO)

    assert isinstance(assets, commands.AskStatus)
    assert (assets.subject, assets.resources, assets.interval) == ("A95", (), None)
    assert isinstance(plans, commands.AskStatus)
    assert (plans.subject, plans.resources) == ("A67", ("A10:571313100000000010",))
    assert plans.interval is not None
    assert (plans.interval.end - plans.interval.start).total_seconds() == 24 * 3600


def test_r14_a_foreseen_limit_keeps_its_assets_together_as_a_shared_total(example: Example) -> None:
    command = take(example("06"), "TPS-FORESEEN", DSO)

    assert isinstance(command, commands.AnnounceLimit)
    assert command.direction is Direction.BOTH
    (series,) = command.series
    assert len(series.assets) == 2
    assert [point.quantity for point in series.periods[0].points] == [1_000_000, 600_000]


@pytest.mark.parametrize(
    ("document_type", "direction"),
    [("A53", Direction.BOTH), ("A80", Direction.PRODUCTION), ("A76", Direction.CONSUMPTION)],
)
def test_r14_the_document_type_says_the_direction(example: Example, document_type: str, direction: Direction) -> None:
    content = changed(example("06"), UnavailabilityMarketDocument, type=document_type)

    command = take(content, "TPS-FORESEEN", DSO)

    assert isinstance(command, commands.AnnounceLimit)
    assert command.direction is direction


def test_r15_an_unforeseen_limit_carries_its_action_and_cause(example: Example) -> None:
    command = take(example("08"), "TPS-UNFORESEEN", DSO)

    assert isinstance(command, commands.OrderLimit)
    (series,) = command.series
    assert (series.action, len(series.assets), series.faults) == (Action.STOP, 2, ())
    assert command.reasons == (Reason("B18", "Transformer failure, feeder 12"),)


def test_r15_a_series_without_an_action_has_a_fault(example: Example) -> None:
    document = registry.read(example("08"))
    assert isinstance(document, UnavailabilityMarketDocument)
    mute = tuple(replace(series, reasons=()) for series in document.series)

    command = take(registry.render(replace(document, series=mute)), "TPS-UNFORESEEN", DSO)

    assert isinstance(command, commands.OrderLimit)
    assert [fault.code for fault in command.series[0].faults] == ["A59"]


def test_r15_series_and_document_agree_on_the_expected_end(example: Example) -> None:
    document = registry.read(example("08"))
    assert isinstance(document, UnavailabilityMarketDocument)
    (series,) = document.series
    early = replace(series, interval=Interval(series.interval.start, series.interval.start.replace(hour=9)))

    command = take(registry.render(replace(document, series=(early,))), "TPS-UNFORESEEN", DSO)

    assert isinstance(command, commands.OrderLimit)
    assert [fault.code for fault in command.series[0].faults] == ["A04"]


@pytest.mark.parametrize("status", ["A09", "A13"])
def test_a_cancel_is_read_with_and_without_its_series(example: Example, status: str) -> None:
    full = changed(example("09"), UnavailabilityMarketDocument, status=status)
    bare = changed(example("09"), UnavailabilityMarketDocument, status=status, series=())

    with_series, without = take(full, "TPS-FORESEEN", DSO), take(bare, "TPS-FORESEEN", DSO)

    assert isinstance(with_series, commands.CancelLimit)
    assert with_series.kind is LimitKind.FORESEEN
    assert isinstance(without, commands.CancelLimit)
    assert without.kind is None


def test_a_document_with_foreseen_and_unforeseen_series_is_refused(example: Example) -> None:
    foreseen, unforeseen = registry.read(example("06")), registry.read(example("08"))
    assert isinstance(foreseen, UnavailabilityMarketDocument)
    assert isinstance(unforeseen, UnavailabilityMarketDocument)
    mixed = replace(
        unforeseen, series=(*unforeseen.series, replace(unforeseen.series[0], mrid="2", business_type="A53"))
    )

    assert refusal(take(registry.render(mixed), "TPS-UNFORESEEN", DSO)).code == "A62"


def test_schedules_keep_their_signs(example: Example) -> None:
    command = take(example("10"), "TPS-SCHEDULES", AGR)

    assert isinstance(command, commands.SubmitSchedules)
    assert {point.quantity for point in command.items[0].periods[0].points} == {-487_500}
    assert command.items[1].periods[0].points[0].quantity == 4_500_000
    assert not any(item.withdraw or item.faults for item in command.items)


def test_a_consumption_series_is_negated(example: Example) -> None:
    document = registry.read(example("10"))
    assert isinstance(document, GlMarketDocument)
    consumption = registry.render(replace(document, series=(replace(document.series[0], business_type="A04"),)))

    command = take(consumption, "TPS-SCHEDULES", AGR)

    assert isinstance(command, commands.SubmitSchedules)
    assert {point.quantity for point in command.items[0].periods[0].points} == {-487_500}


def test_a_cancelled_series_withdraws(example: Example) -> None:
    command = take(example("13"), "TPS-SCHEDULES", AGR)

    assert isinstance(command, commands.SubmitSchedules)
    assert [(item.withdraw, item.periods) for item in command.items] == [(True, ()), (True, ())]


def to_hub(content: bytes) -> bytes:
    """An acknowledgement example turned round: from the AGR to the hub."""
    document = registry.read(content)
    return registry.render(replace(document, sender=Party(AGR, "A27"), receiver=Party(HUB, "A32")))


@pytest.mark.slow
def test_a_plan_that_no_document_of_the_hub_can_carry_has_a_fault_the_others_have_none(example: Example) -> None:
    document = registry.read(example("10"))
    assert isinstance(document, GlMarketDocument)
    start = document.interval.start
    span = Interval(start, start + timedelta(minutes=150_000))
    long = Period(span, "PT1M", tuple(Point(position, position % 2) for position in range(1, 150_001)))
    first, *others = document.series
    series = (replace(first, mrid="long", curve="A03", periods=(long,)), *others)

    command = take(registry.render(replace(document, interval=span, series=series)), "TPS-SCHEDULES", AGR)

    assert isinstance(command, commands.SubmitSchedules)
    (fault,), *none = (item.faults for item in command.items)
    assert (fault.code, none) == ("A59", [()] * len(others))
    assert "at most 15728640 do. Send it in several documents" in fault.text


def test_an_acknowledgement_is_noted(example: Example) -> None:
    accepted = take(to_hub(example("14")), "TPS-ACK", AGR)
    partly = take(to_hub(example("15")), "TPS-ACK", AGR)

    assert isinstance(accepted, commands.NoteAcknowledgement)
    assert accepted.verdict == "A01"
    assert isinstance(partly, commands.NoteAcknowledgement)
    assert (partly.answered, partly.revision, partly.verdict) == ("b1" * 16, 1, "A03")


def test_r26_an_acknowledgement_is_never_answered_not_even_with_a_refusal(example: Example) -> None:
    not_ours, wrong_type = take(example("14"), "TPS-ACK", AGR), take(to_hub(example("14")), "TPS-ASSETS", AGR)

    for command in (not_ours, wrong_type):
        assert isinstance(command, commands.NoteAcknowledgement)
        assert (command.origin.sender, command.answered, command.verdict) == (AGR, "", "A02")


@pytest.mark.parametrize("content", [b"", b"<not xml", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_r26_an_unreadable_document_is_refused_with_a94_and_the_message_id(content: bytes) -> None:
    command = take(content, "TPS-ASSETS", AGR)

    assert refusal(command).code == "A94"
    assert isinstance(command, commands.RefuseDocument)
    assert (command.origin.sender, command.origin.title, command.origin.mrid) == (AGR, "message1", "")


def test_r2_a_document_of_another_sender_is_refused_under_the_name_of_who_sent_it(example: Example) -> None:
    command = take(example("01"), "TPS-ASSETS", Identifier("A01:45X-AGR-TWO-DEMZ"))

    assert refusal(command).code == "A78"
    assert isinstance(command, commands.RefuseDocument)
    assert command.origin.sender == "A01:45X-AGR-TWO-DEMZ"


@pytest.mark.parametrize(
    ("number", "kind", "business_type", "sender", "role"),
    [
        ("01", RefMarketDocument, "TPS-ASSETS", AGR, "A39"),
        ("06", UnavailabilityMarketDocument, "TPS-FORESEEN", DSO, "A27"),
        ("10", GlMarketDocument, "TPS-SCHEDULES", AGR, "A50"),
        ("04", StatusRequestMarketDocument, "TPS-REQUEST", DSO, "A32"),
    ],
)
def test_r2_a_role_that_may_not_send_the_document_is_refused(
    example: Example, *, number: str, kind: type[Document], business_type: str, sender: Identifier, role: str
) -> None:
    content = changed(example(number), kind, sender=Party(sender, role))

    assert refusal(take(content, business_type, sender)).code == "A78"


def test_a_document_for_somebody_else_is_refused(example: Example) -> None:
    elsewhere = changed(example("01"), RefMarketDocument, receiver=Party(DSO, "A32"))
    wrong_role = changed(example("01"), RefMarketDocument, receiver=Party(HUB, "A50"))

    assert refusal(take(elsewhere, "TPS-ASSETS", AGR)).code == "A53"
    assert refusal(take(wrong_role, "TPS-ASSETS", AGR)).code == "A53"


@pytest.mark.parametrize(
    ("number", "sender", "right"),
    [
        ("01", AGR, "TPS-ASSETS"),
        ("03", DSO, "TPS-POINTS"),
        ("04", DSO, "TPS-REQUEST"),
        ("06", DSO, "TPS-FORESEEN"),
        ("08", DSO, "TPS-UNFORESEEN"),
        ("10", AGR, "TPS-SCHEDULES"),
    ],
)
def test_r27_a_business_type_that_does_not_match_its_document_is_refused(
    example: Example, number: str, sender: Identifier, right: str
) -> None:
    for business_type in BusinessType:
        command = take(example(number), business_type.value, sender)

        assert isinstance(command, commands.RefuseDocument) is (business_type.value != right)
        if business_type.value != right:
            assert refusal(command).code == "A62"


@pytest.mark.parametrize(
    ("number", "kind", "business_type", "sender", "fields", "code"),
    [
        ("01", RefMarketDocument, "TPS-ASSETS", AGR, {"process": "A39"}, "A79"),
        ("01", RefMarketDocument, "TPS-ASSETS", AGR, {"type": "A53"}, "A59"),
        ("06", UnavailabilityMarketDocument, "TPS-FORESEEN", DSO, {"process": "A01"}, "A79"),
        ("06", UnavailabilityMarketDocument, "TPS-FORESEEN", DSO, {"type": "A77"}, "A59"),
        ("06", UnavailabilityMarketDocument, "TPS-FORESEEN", DSO, {"status": "A14"}, "A59"),
        ("06", UnavailabilityMarketDocument, "TPS-FORESEEN", DSO, {"series": ()}, "A69"),
        ("10", GlMarketDocument, "TPS-SCHEDULES", AGR, {"process": "A26"}, "A79"),
        ("10", GlMarketDocument, "TPS-SCHEDULES", AGR, {"type": "A65"}, "A59"),
        ("04", StatusRequestMarketDocument, "TPS-REQUEST", DSO, {"type": "A17"}, "A59"),
        (
            "04",
            StatusRequestMarketDocument,
            "TPS-REQUEST",
            DSO,
            {"attributes": (Attribute("DocumentType", "A65"),)},
            "A59",
        ),
        ("04", StatusRequestMarketDocument, "TPS-REQUEST", DSO, {"attributes": (Attribute("In_Domain", "x"),)}, "A59"),
    ],
)
def test_codes_outside_the_mapping_are_refused_as_a_whole(
    example: Example,
    *,
    number: str,
    kind: type[Document],
    business_type: str,
    sender: Identifier,
    fields: dict[str, object],
    code: str,
) -> None:
    content = changed(example(number), kind, **fields)

    assert refusal(take(content, business_type, sender)).code == code


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"psr_type": "A11"}, ["A59"]),
        ({"specific": ()}, ["A69"]),
        ({"specific": (Identifier("A10:1"), Identifier("A10:2"))}, ["A69"]),
        ({"psr_type": "A04"}, ["A59"]),
    ],
)
def test_r3_a_fault_of_one_asset_is_a_fault_of_that_asset_only(
    example: Example, fields: dict[str, object], codes: list[str]
) -> None:
    document = registry.read(example("01"))
    assert isinstance(document, RefMarketDocument)
    first, second = document.series

    content = registry.render(replace(document, series=(replace(first, **fields), second)))
    command = take(content, "TPS-ASSETS", AGR)

    assert isinstance(command, commands.RegisterResources)
    assert [[fault.code for fault in item.faults] for item in command.items] == [codes, []]


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T00:00Z", "2026-01-02T00:00Z/2026-01-01T00:00Z", "2026-01-01T00:00Z/2026-01-01T00:00Z", "x/y", ""],
)
def test_a_request_with_no_usable_interval_is_refused(example: Example, text: str) -> None:
    attributes = (Attribute("DocumentType", "A67"), Attribute("TimeInterval", text))
    content = changed(example("11"), StatusRequestMarketDocument, attributes=attributes)

    assert refusal(take(content, "TPS-REQUEST", DSO)).code == "A04"


def test_r2_bare_ids_in_a_request_get_their_scheme(example: Example) -> None:
    attributes = (
        Attribute("DocumentType", "A95"),
        Attribute("RegisteredResource", "571313199000000014"),
        Attribute("RegisteredResource", "grid-17"),
        Attribute("RegisteredResource", "grid-17", "NNN"),
    )
    content = changed(example("04"), StatusRequestMarketDocument, attributes=attributes)

    command = take(content, "TPS-REQUEST", DSO)

    assert isinstance(command, commands.AskStatus)
    assert command.resources == ("A10:571313199000000014", "NDK:grid-17", "NNN:grid-17")


def test_judging_a_file_needs_no_envelope(example: Example) -> None:
    assert intake.judge(example("01")) == intake.Judgement(taken=True, as_="RegisterResources")
    assert not intake.judge(example("05")).taken
    assert [reason.code for reason in intake.judge(b"<a/>").reasons] == ["A94"]


def test_a_file_whose_every_series_has_a_fault_would_not_be_taken(example: Example) -> None:
    document = registry.read(example("02"))
    assert isinstance(document, RefMarketDocument)
    point = replace(document.series[0], psr_type="B24")

    judgement = intake.judge(registry.render(replace(document, series=(point,))))

    assert not judgement.taken
    assert [reason.code for reason in judgement.reasons] == ["A59"]


@given(st.binary(max_size=200), st.text(max_size=20))
def test_r26_no_content_makes_intake_fail(content: bytes, business_type: str) -> None:
    assert isinstance(take(content, business_type, AGR), commands.RefuseDocument)
