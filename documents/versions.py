"""The known documents and versions as one table: a version is a row, never a branch (IEC 62325-451-1, -5, -6, -N).

Emitted are the versions marked so; all listed ones are read. What differs between versions is a column; the schema of a
family (documents/schemas/<family>.xsd) names the columns as $words.
"""

from typing import Final

from msgspec import Struct

_TC57: Final = "urn:iec62325.351:tc57wg16:"


class Version(Struct, frozen=True, kw_only=True):
    """One version of one document. Lengths in characters, `_min` and `_max` are counts of elements."""

    family: str
    root: str
    number: str
    namespace: str
    mrid_max: int
    resource_id_max: int = 60
    unit_element: str = "quantity_Measure_Unit.name"
    magnitude: str = r"[0-9]*\.?[0-9]*"
    """Pattern of nominal power and of voltage; the oldest versions take no second digit after the dot (trap 7)."""
    header_reason_min: int = 0
    received_process_max: int = 1
    timeframe_max: int = 0
    resource_layout: str = "NestedResource"
    relevant_max: str = "unbounded"
    emitted: bool = False


def _rows(family: str, root: str, tail: str, *rows: dict[str, object]) -> tuple[Version, ...]:
    return tuple(
        Version(family=family, root=root, namespace=f"{_TC57}{tail}:{row['number']}", **row)  # type: ignore[arg-type] # rows below are literal
        for row in rows
    )


_MEASUREMENT: Final = "quantity_Measurement_Unit.name"
_ONE_DIGIT: Final = r"[0-9]+(\.[0-9])*"

VERSIONS: Final[tuple[Version, ...]] = (
    *_rows(
        "Ref",
        "Ref_MarketDocument",
        "451-n:mltopconfigurationdocument",
        {"number": "1:0", "mrid_max": 35, "resource_layout": "FlatResource", "relevant_max": "0"},
        {"number": "1:1", "mrid_max": 60, "relevant_max": "0"},
        {"number": "1:2", "mrid_max": 60, "emitted": True},
    ),
    *_rows(
        "Ref",
        "OutageConfiguration_MarketDocument",
        "451-n:outageconfigurationdocument",
        {"number": "1:3", "mrid_max": 60},
    ),
    *_rows(
        "StatusRequest",
        "StatusRequest_MarketDocument",
        "451-5:statusrequestdocument",
        {"number": "4:0", "mrid_max": 35, "emitted": True},
        {"number": "4:1", "mrid_max": 60},
    ),
    *_rows(
        "Unavailability",
        "Unavailability_MarketDocument",
        "451-6:outagedocument",
        {"number": "3:0", "mrid_max": 35, "resource_id_max": 18, "magnitude": _ONE_DIGIT, "header_reason_min": 1},
        {"number": "3:1", "mrid_max": 35, "header_reason_min": 1},
        {"number": "4:0", "mrid_max": 35, "emitted": True},
        {"number": "4:1", "mrid_max": 60, "unit_element": _MEASUREMENT},
    ),
    *_rows(
        "GL",
        "GL_MarketDocument",
        "451-6:generationloaddocument",
        {"number": "3:0", "mrid_max": 35, "resource_id_max": 18, "magnitude": _ONE_DIGIT},
        {"number": "3:1", "mrid_max": 35, "emitted": True},
        {"number": "3:2", "mrid_max": 60, "unit_element": _MEASUREMENT},
    ),
    *_rows(
        "Acknowledgement",
        "Acknowledgement_MarketDocument",
        "451-1:acknowledgementdocument",
        {"number": "7:0", "mrid_max": 35, "received_process_max": 0},
        {"number": "8:0", "mrid_max": 35},
        {"number": "8:1", "mrid_max": 60, "emitted": True},
    ),
    *_rows(
        "ProblemStatement",
        "ProblemStatement_MarketDocument",
        "451-5:problemdocument",
        {"number": "3:0", "mrid_max": 35},
        {"number": "3:1", "mrid_max": 60},
        {"number": "3:2", "mrid_max": 60, "timeframe_max": 1},
    ),
)
