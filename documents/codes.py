"""Code lists of the documents: the values the platform uses (ENTSO-E code list V94; since V77 unless noted)."""

import re
from enum import StrEnum
from typing import Final, Literal, get_args

from documents.model import UnavailabilitySeries
from documents.values import Reason

Action = Literal["START", "STOP", "HOLD"]
"""What an unforeseen limit asks of a resource (F7, R15)."""


class CodingScheme(StrEnum):
    """CodingSchemeTypeList."""

    EIC = "A01"
    GS1 = "A10"
    DENMARK = "NDK"


class DocumentType(StrEnum):
    """MessageTypeList."""

    ACKNOWLEDGEMENT = "A17"
    OUTAGE = "A53"
    INFORMATION_REQUEST = "A59"
    STATUS_REQUEST = "A60"
    SCHEDULE = "A67"
    LOAD_UNAVAILABILITY = "A76"
    GENERATION_UNAVAILABILITY = "A80"
    CONFIGURATION = "A95"


class ProcessType(StrEnum):
    """ProcessTypeList."""

    DAY_AHEAD = "A01"
    FORECAST = "A14"
    SCHEDULE_DAY = "A17"
    INTRADAY_TOTAL = "A18"
    OUTAGE_INFORMATION = "A26"
    CREATION = "A36"
    MODIFICATION = "A37"
    DEACTIVATION = "A38"
    SYNCHRONISATION = "A39"
    INTRADAY = "A40"


class Role(StrEnum):
    """RoleTypeList. A52 and A56 are younger than V77: read, never emitted."""

    SYSTEM_OPERATOR = "A04"
    BALANCE_RESPONSIBLE = "A08"
    GRID_OPERATOR = "A18"
    RESOURCE_PROVIDER = "A27"
    INFORMATION_AGGREGATOR = "A32"
    INFORMATION_RECEIVER = "A33"
    DATA_PROVIDER = "A39"
    DISTRIBUTION_SYSTEM_OPERATOR = "A50"
    RESOURCE_AGGREGATOR = "A52"
    FLEXIBILITY_PROVIDER = "A56"


class BusinessType(StrEnum):
    """BusinessTypeList. Only A07 carries signs."""

    PRODUCTION = "A01"
    CONSUMPTION = "A04"
    NET_PRODUCTION_CONSUMPTION = "A07"
    PLANNED_MAINTENANCE = "A53"
    UNPLANNED_OUTAGE = "A54"


class Status(StrEnum):
    """StatusTypeList; A09 and A13 both cancel an outage document."""

    ACTIVE = "A05"
    CANCELLED = "A09"
    WITHDRAWN = "A13"


class ReasonCode(StrEnum):
    """ReasonCodeTypeList."""

    FULLY_ACCEPTED = "A01"
    FULLY_REJECTED = "A02"
    PARTLY_REJECTED = "A03"
    TIME_INTERVAL_INCORRECT = "A04"
    SERIES_REJECTED = "A20"
    SERIES_ACCEPTED_WITH_ERRORS = "A21"
    RESOLUTION_INCONSISTENT = "A41"
    QUANTITY_INCONSISTENT = "A42"
    POSITION_INCONSISTENT = "A49"
    VERSION_CONFLICT = "A51"
    SERIES_MISSING = "A52"
    RECEIVER_INCORRECT = "A53"
    SERIES_IDENTIFICATION_CONFLICT = "A55"
    DEADLINE = "A57"
    NOT_COMPLIANT = "A59"
    BUSINESS_TYPE_INVALID = "A62"
    RESOURCE_INVALID = "A64"
    MANDATORY_MISSING = "A69"
    SENDER_INVALID = "A78"
    PROCESS_TYPE_INVALID = "A79"
    UNREADABLE = "A94"
    COMPLEMENTARY_INFORMATION = "A95"
    FAILURE = "B18"
    FORESEEN_MAINTENANCE = "B19"
    SHUTDOWN = "B20"
    LOAD_FLOW_OVERLOAD = "B24"
    EMERGENCY_CURTAILMENT = "B26"
    INTERNAL_CONGESTION = "B46"
    NOT_SPECIFIED = "999"


class CurveType(StrEnum):
    """CurveTypeList; the other three kinds are refused."""

    FIXED_BLOCKS = "A01"
    VARIABLE_BLOCKS = "A03"


class PsrType(StrEnum):
    """AssetTypeList."""

    PRODUCES_AND_CONSUMES = "A03"
    PRODUCES = "A04"
    CONSUMES = "A05"
    BUSBAR = "A08"
    CONNECTION_POINT = "A11"
    SUBSTATION = "B23"


class Aggregation(StrEnum):
    """ObjectAggregationTypeList."""

    RESOURCE = "A06"


class Unit(StrEnum):
    """UnitOfMeasureTypeList, units of power."""

    MEGAWATT = "MAW"
    KILOWATT = "KWT"
    WATT = "WTT"
    GIGAWATT = "A90"


class Indicator(StrEnum):
    """IndicatorTypeList."""

    YES = "A01"
    NO = "A02"


DSO_ROLES: Final = frozenset({Role.DISTRIBUTION_SYSTEM_OPERATOR, Role.GRID_OPERATOR, Role.SYSTEM_OPERATOR})
"""Read as DSO; A50 is emitted."""
AGR_ROLES: Final = frozenset({Role.RESOURCE_PROVIDER, Role.RESOURCE_AGGREGATOR, Role.FLEXIBILITY_PROVIDER})
"""Read as aggregator; A27 is emitted."""
BRP_ROLES: Final = frozenset({Role.BALANCE_RESPONSIBLE})
"""Read and emitted for a balance responsible party."""
HUB_ROLES: Final = frozenset({Role.INFORMATION_AGGREGATOR, Role.DATA_PROVIDER, Role.INFORMATION_RECEIVER})
"""Read as hub; A32 is emitted."""
CANCELLING: Final = frozenset({Status.CANCELLED, Status.WITHDRAWN})
"""Document statuses that end an outage document."""
POINT_TYPES: Final = frozenset({PsrType.CONNECTION_POINT, PsrType.BUSBAR, PsrType.SUBSTATION})
"""Resource types read as a connection point; A11 is emitted."""
ASSET_TYPES: Final = frozenset({PsrType.PRODUCES_AND_CONSUMES, PsrType.PRODUCES, PsrType.CONSUMES})
"""Resource types of a flexible asset."""

_ACTION: Final = re.compile(r"ACTION=(START|STOP|HOLD)")
_ACTIONS: Final[dict[str, Action]] = {action: action for action in get_args(Action)}


def action_of(series: UnavailabilitySeries) -> Action | None:
    """Return the action an outage series asks for in a Reason A95 `ACTION=...`; None for none, or two that differ."""
    texts = (reason.text or "" for reason in series.reasons if reason.code == ReasonCode.COMPLEMENTARY_INFORMATION)
    found = {match[1] for text in texts if (match := _ACTION.fullmatch(text.strip()))}
    return _ACTIONS[found.pop()] if len(found) == 1 else None


def action_reason(action: Action) -> Reason:
    """Return the Reason that carries `action` in an outage series."""
    return Reason(ReasonCode.COMPLEMENTARY_INFORMATION.value, f"ACTION={action}")
