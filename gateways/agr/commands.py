"""What an aggregator's clients can ask beyond what both gateways share: schedules (F8)."""

from msgspec import Struct

from documents.values import Identifier, Mrid, Period


class Plan(Struct, frozen=True, kw_only=True):
    """One asset's plan: signed watts over time, + production, - consumption."""

    asset: Identifier
    curve: str
    periods: tuple[Period, ...]


class SubmitSchedule(Struct, frozen=True, kw_only=True):
    """A new schedule document."""

    mrid: Mrid
    plans: tuple[Plan, ...]


class ReplaceSchedule(Struct, frozen=True, kw_only=True):
    """The whole content of a schedule again: assets that are left out are withdrawn (R24)."""

    mrid: Mrid
    plans: tuple[Plan, ...]


class ChangeSchedule(Struct, frozen=True, kw_only=True):
    """New plans for the named assets; the others stay (R24)."""

    mrid: Mrid
    plans: tuple[Plan, ...]


class WithdrawSchedule(Struct, frozen=True, kw_only=True):
    """Withdraw the plans of some assets, or (none named) of all (R24)."""

    mrid: Mrid
    assets: tuple[Identifier, ...] = ()
