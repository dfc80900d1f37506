"""A replay is not held up by the collector of cycles, and neither is what comes after it."""

import gc
from collections.abc import Iterator

import pytest

from hub.collector import MANY, uncollected


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    gc.collect()
    yield
    gc.enable()
    gc.unfreeze()


def is_walked(container: object) -> bool:
    """Whether the collector would look at it."""
    return any(each is container for each in gc.get_objects())


def test_the_collector_is_away_while_a_log_is_replayed_and_back_after_it() -> None:
    with uncollected():
        meanwhile = gc.isenabled()

    assert (meanwhile, gc.isenabled()) == (False, True)


def test_a_replay_that_fails_brings_the_collector_back() -> None:
    with pytest.raises(LookupError), uncollected():
        raise LookupError

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()

    with uncollected():
        pass

    assert not gc.isenabled()


@pytest.mark.parametrize(("left", "walked"), [(10, True), (2 * MANY, False)])
def test_much_that_a_replay_leaves_is_never_walked(left: int, *, walked: bool) -> None:
    with uncollected():
        state = [[number] for number in range(left)]

    assert is_walked(state[0]) == walked
