"""The journal: a batch that did not commit is taken back exactly, at its own cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.values import Identifier
from hub.state import HubState, Index, Journal, Ordered, Table


def test_a_rollback_restores_puts_and_drops() -> None:
    journal = Journal()
    table: Table[str, int] = Table(journal)
    table.put("kept", 1)
    table.put("dropped", 2)
    mark = journal.savepoint()

    table.put("kept", 9)
    table.drop("dropped")
    table.put("new", 3)
    table.drop("new")
    table.drop("never there")
    journal.rollback(mark)

    assert table.contents() == {"kept": 1, "dropped": 2}


def test_a_rollback_restores_an_index_that_was_emptied() -> None:
    journal = Journal()
    index: Index[str, str] = Index(journal)
    index.add("point", "b")
    index.add("point", "a")
    mark = journal.savepoint()

    index.discard("point", "a")
    index.discard("point", "b")
    index.discard("point", "b")
    gone = index.has("point")
    index.add("point", "c")
    index.add("other", "d")
    journal.rollback(mark)

    assert not gone
    assert index.of("point") == ["a", "b"]
    assert not index.has("other")


def test_an_index_is_read_in_order_whatever_came_first() -> None:
    index: Index[str, str] = Index(Journal())
    for member in "cab":
        index.add("key", member)

    assert index.of("key") == ["a", "b", "c"]
    assert index.of("nothing") == []


def test_an_ordered_index_tells_what_is_up_to_a_bound_and_what_is_after_it() -> None:
    ends: Ordered[str, tuple[int, str]] = Ordered(Journal())
    for end, plan in ((3, "c"), (1, "b"), (2, "a"), (2, "b")):
        ends.add("asset", (end, plan))

    assert ends.upto("asset", 2) == [(1, "b"), (2, "a"), (2, "b")]
    assert list(ends.after("asset", 2)) == [(3, "c")]
    assert (ends.upto("asset", 0), list(ends.after("asset", 3))) == ([], [])
    assert (ends.upto("nobody's", 2), list(ends.after("nobody's", 2))) == ([], [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))), st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_a_rollback_restores_the_order_of_an_ordered_index(
    before: list[tuple[bool, int]], after: list[tuple[bool, int]]
) -> None:
    journal = Journal()
    ends: Ordered[str, tuple[int]] = Ordered(journal)

    def change(changes: list[tuple[bool, int]]) -> None:
        for is_new, end in changes:
            (ends.add if is_new else ends.discard)("asset", (end,))

    change(before)
    kept = ends.contents()
    mark = journal.savepoint()
    change(after)
    changed = ends.contents().get("asset", set())

    assert ends.upto("asset", 9) == sorted(changed)
    journal.rollback(mark)
    assert ends.contents() == kept
    assert ends.upto("asset", 9) == sorted(kept.get("asset", set()))


class Bound(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Bound.compared += 1
        return int(self) < int(other)


def test_a_bound_is_found_among_many_members_by_a_look_at_a_few() -> None:
    ends: Ordered[str, tuple[int]] = Ordered(Journal())
    for end in range(10_000):
        ends.add("asset", (end,))
    Bound.compared = 0

    assert next(ends.after("asset", Bound(8_999))) == (9_000,)
    assert 0 < Bound.compared <= 14


def test_an_outer_savepoint_can_be_reached_past_inner_ones() -> None:
    journal = Journal()
    table: Table[str, int] = Table(journal)
    outer = journal.savepoint()
    table.put("one", 1)
    inner = journal.savepoint()
    table.put("two", 2)
    journal.rollback(inner)
    after_inner = table.contents()
    journal.rollback(outer)

    assert (after_inner, table.contents()) == ({"one": 1}, {})


def test_the_same_savepoint_serves_twice() -> None:
    journal = Journal()
    table: Table[str, int] = Table(journal)
    mark = journal.savepoint()
    for value in (1, 2):
        table.put("key", value)
        journal.rollback(mark)

    assert table.contents() == {}


def test_old_savepoints_are_forgotten_so_that_the_journal_stays_small() -> None:
    journal = Journal()
    table: Table[str, int] = Table(journal)
    first = journal.savepoint()
    for value in range(100):
        table.put("key", value)
        last = journal.savepoint()

    with pytest.raises(ValueError, match="not remembered"):
        journal.rollback(first)
    table.put("key", -1)
    journal.rollback(last)
    assert table["key"] == 99


def test_a_point_nobody_claimed_has_no_dso() -> None:
    assert HubState(b"secret").dso_at(Identifier("NDK:1")) is None
