"""The hub's present: tables and indexes folded from the log, with a journal that can take a batch back (ARCHITECTURE 2,
R30).

Nothing is decided here. Only the `evolve` functions of the aggregates write. Values are frozen, so a write is one put;
a put costs the same however many assets there are, and taking it back costs the same again. Iteration over an index is
always sorted: nothing may depend on the order in which things arrived (R16).
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from msgspec import Raw, Struct

from documents.packing import Curved
from documents.values import Identifier, Instant, Interval, Mrid
from hub.events import DocumentAnswered, StatusRequested
from hub.rows import AgrLimit
from hub.values import AssetOrder, AssetShare, Capability, Direction, LimitKind, Role

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
M = TypeVar("M", bound=Hashable)
R = TypeVar("R", bound=tuple[Any, ...])

_ABSENT: Final = object()
_SAVEPOINTS_KEPT: Final = 16
_FIRST: Final = itemgetter(0)


class Journal:
    """What was there before each write since the oldest remembered savepoint. Nothing is kept before the first one."""

    def __init__(self) -> None:
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []  # tables of any types
        self._dropped = 0
        self._savepoints: deque[int] = deque()

    def write(self, table: dict[K, V], key: K, value: V) -> None:
        """Put a value."""
        if self._savepoints:
            self._undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def erase(self, table: dict[K, V], key: K) -> None:
        """Drop a key that is there."""
        if self._savepoints:
            self._undo.append((table, key, table[key]))
        del table[key]

    def __len__(self) -> int:
        return len(self._undo)

    def savepoint(self) -> int:
        """Remember the present; the sixteen newest savepoints are kept."""
        mark = self._dropped + len(self._undo)
        self._savepoints.append(mark)
        if len(self._savepoints) > _SAVEPOINTS_KEPT:
            self._savepoints.popleft()
            oldest = self._savepoints[0]
            del self._undo[: oldest - self._dropped]
            self._dropped = oldest
        return mark

    def rollback(self, savepoint: int) -> None:
        """Undo every write since `savepoint`, newest first. Raises ValueError when it is no longer remembered."""
        if savepoint not in self._savepoints:
            raise ValueError(
                f"Savepoint {savepoint} is not remembered. Roll back to one of the newest {_SAVEPOINTS_KEPT}."
            )
        while self._dropped + len(self._undo) > savepoint:
            table, key, before = self._undo.pop()
            if before is _ABSENT:
                table.pop(key, None)
            else:
                table[key] = before
        while self._savepoints[-1] > savepoint:
            self._savepoints.pop()


class Table(Generic[K, V]):
    """Values by key."""

    def __init__(self, journal: Journal) -> None:
        self._values: dict[K, V] = {}
        self._journal = journal

    def get(self, key: K) -> V | None:
        """The value, None when there is none."""
        return self._values.get(key)

    def __getitem__(self, key: K) -> V:
        return self._values[key]

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: K, value: V) -> None:
        """Set the value of a key."""
        self._journal.write(self._values, key, value)

    def drop(self, key: K) -> None:
        """Forget a key; nothing happens when it is unknown."""
        if key in self._values:
            self._journal.erase(self._values, key)

    def contents(self) -> dict[K, V]:
        """A copy, to compare states."""
        return dict(self._values)


class Index(Generic[K, M]):
    """Members by key, sorted when read."""

    _nobody: Callable[[], dict[M, None]] = dict

    def __init__(self, journal: Journal) -> None:
        self._members: dict[K, dict[M, None]] = {}
        self._journal = journal

    def add(self, key: K, member: M) -> None:
        """Put a member under a key."""
        if key not in self._members:
            self._journal.write(self._members, key, self._nobody())
        if member not in self._members[key]:
            self._journal.write(self._members[key], member, None)

    def discard(self, key: K, member: M) -> None:
        """Take a member away; nothing happens when it is not there."""
        members = self._members.get(key)
        if members and member in members:
            self._journal.erase(members, member)
            if not members:
                self._journal.erase(self._members, key)

    def of(self, key: K) -> list[M]:
        """The members under a key, in ascending order."""
        return sorted(self._members.get(key, ()))  # type: ignore[type-var] # ids and tuples of ids

    def unordered(self, key: K) -> Iterator[M]:
        """The members one by one, for questions whose answer depends on no order."""
        return iter(self._members.get(key, ()))

    def has(self, key: K) -> bool:
        """Whether a key has any member."""
        return key in self._members

    def contents(self) -> dict[K, set[M]]:
        """A copy, to compare states."""
        return {key: set(members) for key, members in self._members.items()}


class _Ascending(dict[R, None]):
    """Members that keep their order as they come and go, through the three doors that a journal uses."""

    __slots__ = ("order",)

    def __init__(self) -> None:
        self.order: list[R] = []

    def __setitem__(self, member: R, nothing: None) -> None:
        if member not in self:
            insort(self.order, member)
        super().__setitem__(member, nothing)

    def __delitem__(self, member: R) -> None:
        super().__delitem__(member)
        del self.order[bisect_left(self.order, member)]

    def pop(self, member: R, _: None = None) -> None:  # type: ignore[override] # as a journal takes an addition back
        if member in self:
            del self[member]


class Ordered(Index[K, R]):
    """An index by what its members, which are tuples, begin with: those up to or after a bound are found without a look
    at the others, however many there are.
    """

    _nobody = _Ascending

    def upto(self, key: K, bound: Any) -> list[R]:  # Any: of the type of what the members begin with
        """The members that begin with at most the bound, in ascending order."""
        order = self._order(key)
        return order[: bisect_right(order, bound, key=_FIRST)]

    def after(self, key: K, bound: Any) -> Iterator[R]:  # Any: as above
        """The members that begin with more than the bound, in ascending order, as far as they are asked for."""
        order = self._order(key)
        return map(order.__getitem__, range(bisect_right(order, bound, key=_FIRST), len(order)))

    def _order(self, key: K) -> list[R]:
        members = self._members.get(key)
        return members.order if isinstance(members, _Ascending) else []


LimitKey = tuple[Identifier, Mrid]
"""(DSO, mRID of the DSO's document)."""
PlanKey = tuple[Identifier, Mrid, Identifier]
"""(operator, mRID of its document, asset)."""


class ParticipantState(Struct, frozen=True):
    """A MarketParticipant (R1)."""

    role: Role
    name: str
    brp: Identifier | None
    suspended: bool = False


class PointState(Struct, frozen=True):
    """A connection point somebody has claimed (R4)."""

    dso: Identifier
    psr_type: str
    voltage: str


class ResourceState(Struct, frozen=True):
    """A registered asset (R4)."""

    operator: Identifier
    point: Identifier
    capability: Capability
    psr_type: str
    voltage: str


class PlanState(Curved, Struct, frozen=True):
    """One asset's plan in one document. `shown_to`: the DSO that has it in its list, None while nobody has."""

    series: Mrid
    curve: Raw
    interval: Interval
    shown_to: Identifier | None


class LimitState(Struct, frozen=True):
    """A limit at its last revision; without interval when only its cancel is known (R19).

    `assets` are all it names, `parts` those with something to obey, by asset id.
    """

    revision: int
    kind: LimitKind | None
    direction: Direction
    interval: Interval | None
    assets: tuple[Identifier, ...]
    parts: tuple[AssetShare | AssetOrder, ...] = ()
    reason_codes: tuple[str, ...] = ()
    cancelled: bool = False

    def is_live(self, now: Instant) -> bool:
        """Whether it still holds, or will: not cancelled, end after now."""
        return not self.cancelled and self.interval is not None and self.interval.end > now


class CopyState(Struct, frozen=True):
    """One AGR's copy of a limit, as last issued, and whether its client has collected it (R18, R29)."""

    content: AgrLimit
    issued: Instant
    collected: bool = False


DocumentKey = tuple[Identifier, Mrid, int]
"""(sender, mRID or transport's message id, revision)."""


class HubState:
    """Everything the decisions and projections ask. `secret` keys the outgoing mRIDs (R18)."""

    def __init__(self, secret: bytes) -> None:
        journal = self.journal = Journal()
        self.secret = secret
        self.participants: Table[Identifier, ParticipantState] = Table(journal)
        self.points: Table[Identifier, PointState] = Table(journal)
        self.resources: Table[Identifier, ResourceState] = Table(journal)
        self.at_point: Index[Identifier, Identifier] = Index(journal)
        """Assets that name a point, claimed or not."""
        self.grid: Index[Identifier, Identifier] = Index(journal)
        """Assets on a DSO's points."""
        self.ordered: Table[tuple[Identifier, Identifier], Instant] = Table(journal)
        """(sender, asset or point) -> creation of the newest document applied, removals included (R10)."""
        self.conflicts: Table[Identifier, tuple[Instant, int]] = Table(journal)
        """Participant -> start of its present hour of conflicts with holders, and how many (R5)."""
        self.schedules: Table[tuple[Identifier, Mrid], int] = Table(journal)
        """(operator, mRID of its document) -> its last revision that was applied."""
        self.plans: Table[PlanKey, PlanState] = Table(journal)
        self.plans_of: Ordered[Identifier, tuple[Instant, PlanKey]] = Ordered(journal)
        """Plans of an asset by their ends."""
        self.planned: Ordered[tuple[Identifier, Identifier], tuple[Instant, Instant, Mrid]] = Ordered(journal)
        """(operator, asset) -> end and start of each Period, and the document it is in. They do not overlap (R23)."""
        self.plans_shown: Index[Identifier, PlanKey] = Index(journal)
        self.limits: Table[LimitKey, LimitState] = Table(journal)
        self.limits_on: Ordered[Identifier, tuple[Instant, LimitKey]] = Ordered(journal)
        """Ends and keys of limits whose last revision names an asset, ended ones until the next limit on that asset."""
        self.copies: Table[tuple[LimitKey, Identifier], CopyState] = Table(journal)
        self.copies_of: Index[LimitKey, Identifier] = Index(journal)
        self.limits_of: Index[Identifier, LimitKey] = Index(journal)
        """Limits an AGR has a copy of, ended ones until the AGR asks for its limits."""
        self.copied: Table[tuple[Identifier, Mrid], LimitKey] = Table(journal)
        """(AGR, mRID of its copy) -> the limit."""
        self.digests: Index[DocumentKey, str] = Index(journal)
        """Contents judged under an identity; the first of them is the one that counts (R19)."""
        self.verdicts: Table[tuple[DocumentKey, str], DocumentAnswered | StatusRequested] = Table(journal)
        """Verdict on an identity with a content (R19, R26)."""
        self.alarms: Table[str, str] = Table(journal)

    def dso_at(self, point: Identifier) -> Identifier | None:
        """The DSO that holds a point, None while nobody does."""
        claimed = self.points.get(point)
        return claimed.dso if claimed else None

    def contents(self) -> dict[str, Any]:
        """Everything by name, to compare two states; values differ in type by table."""
        return {name: held.contents() for name, held in vars(self).items() if isinstance(held, Table | Index)}
