"""The words of the hub's own language that documents do not have: roles, directions, actions, capability."""

from enum import StrEnum

from msgspec import Struct

from documents.values import Identifier, Period, Power


class Role(StrEnum):
    """What a MarketParticipant is to the platform (R1)."""

    DSO = "DSO"
    AGR = "AGR"
    BRP = "BRP"


class Direction(StrEnum):
    """Which way a limit holds: document type A80, A76 or A53 (R14)."""

    PRODUCTION = "production"
    CONSUMPTION = "consumption"
    BOTH = "both"


class LimitKind(StrEnum):
    """Foreseen limits carry power over time, unforeseen ones an action (F6, F7)."""

    FORESEEN = "foreseen"
    UNFORESEEN = "unforeseen"


class Action(StrEnum):
    """What an asset must do in an unforeseen limit. STOP > HOLD > START (R15)."""

    START = "START"
    STOP = "STOP"
    HOLD = "HOLD"


class Capability(Struct, frozen=True, gc=False):
    """Maximum power in whole watts each way, at least one positive (R9)."""

    max_production: Power
    max_consumption: Power

    def rated(self, direction: Direction) -> Power:
        """Rated power in the limited direction; for both, the larger of the two (R16)."""
        match direction:
            case Direction.PRODUCTION:
                return self.max_production
            case Direction.CONSUMPTION:
                return self.max_consumption
            case Direction.BOTH:
                return max(self.max_production, self.max_consumption)


class AssetShare(Struct, frozen=True):
    """One asset's part of a foreseen limit.

    Unsigned watts over time, and the rated power it was weighed with (R16, R37).
    """

    resource: Identifier
    rated: Power
    periods: tuple[Period, ...]


class AssetOrder(Struct, frozen=True):
    """One asset's part of an unforeseen limit."""

    resource: Identifier
    action: Action
