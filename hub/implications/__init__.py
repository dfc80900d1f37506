"""What limits and plans do to each other, quarter-hour by quarter-hour (F3, R14, R15, R21).

A pure function over rows of the operator: no storage, no clock. The grid is UTC, so that a local day is 92, 96 or 100
quarter-hours of the same kind. Of a curve that changes within a quarter-hour the plan counts with its strongest value
and the limit with its weakest, and a quarter-hour that either only touches counts whole: nothing is overlooked.

Each limit is judged by itself, each of its assets against its own part, each direction without netting (R21). A part
sticks to its asset wherever that is registered on the grid of the limit's DSO (R17). What an order means for a plan:
STOP leaves nothing; HOLD keeps what was planned for the quarter-hour in which it begins; START wants an asset to run
that the plan lets stand, as far as its other limits let it.
"""

from hub.implications.account import Balance, summed
from hub.implications.findings import Finding
from hub.implications.grid import NONE, QUARTER, QUARTER_S, Grid, Plan, Slots, flat, least, plan_on
from hub.implications.ledger import Ledger, balance_of, balances, findings, findings_under
from hub.implications.parts import (
    SIDES,
    Board,
    Bounds,
    Kind,
    Part,
    allowed_for,
    bounds_of_started,
    part_of,
    parts_under,
)

__all__ = [
    "NONE",
    "QUARTER",
    "QUARTER_S",
    "SIDES",
    "Balance",
    "Board",
    "Bounds",
    "Finding",
    "Grid",
    "Kind",
    "Ledger",
    "Part",
    "Plan",
    "Slots",
    "allowed_for",
    "balance_of",
    "balances",
    "bounds_of_started",
    "findings",
    "findings_under",
    "flat",
    "least",
    "part_of",
    "parts_under",
    "plan_on",
    "summed",
]
