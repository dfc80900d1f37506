"""The journal: a batch that did not commit is taken back exactly, at its own cost."""

import pytest

from documents.values import Identifier
from hub.state import HubState, Index, Journal, Table


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
