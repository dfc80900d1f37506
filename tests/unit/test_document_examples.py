"""Real and exemplary instances are read as they are (traps 7, 11, 13, 14)."""

from pathlib import Path

import pytest

from documents.errors import SchemaInvalid
from tests.documents_by_family import parse, render, version_of


def test_the_examples_of_every_message_are_written_byte_for_byte_as_they_were_read(shared: Path) -> None:
    examples = sorted((shared / "standards" / "mapping-examples").glob("*.xml"))

    assert len(examples) == 16
    for example in examples:
        data = example.read_bytes()
        document = parse(data)
        assert render(document) == data, example.name
        assert not [fault for series in getattr(document, "series", ()) for fault in getattr(series, "faults", ())]


def test_trap_13_real_instances_are_read_or_refused_in_words(shared: Path) -> None:
    refused, faults = {}, {}
    for sample in sorted((shared / "standards" / "samples").glob("*.xml")):
        data = sample.read_bytes()
        if version_of(data) is None:
            continue
        try:
            document = parse(data)
        except SchemaInvalid as error:
            refused[sample.name] = str(error)
        else:
            found = [fault.code for series in getattr(document, "series", ()) for fault in series.faults]
            faults.update({sample.name: found} if found else {})

    assert list(refused) == ["gl_tp_generation_141b_installed_capacity_per_unit_NL.xml"]
    assert faults == {
        "gl_hexagon_load_singlepoint.xml": ["A49"],
        "gl_inceptive_ActualTotalLocalExample.xml": ["A49"],
        "gl_inceptive_WeekAheadExample.xml": ["A41", "A41"],
        "gl_tp_load61_e_year_ahead_total_load_forecast.xml": ["A41", "A41"],
        "unavailability_hexagon_consumption_empty_quantity.xml": ["A49", "A42", "A42"],
    }


@pytest.mark.parametrize("name", ["unavailability_tp_nl_004_cancelled.xml"])
def test_a_real_cancellation_keeps_its_series(shared: Path, name: str) -> None:
    document = parse((shared / "standards" / "samples" / name).read_bytes())

    assert document.status == "A09"
    assert document.series
