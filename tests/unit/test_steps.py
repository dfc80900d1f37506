"""Work is counted alike however full the process is of what others left."""

import gc

from tests.steps import steps_of


def left_behind() -> list[list[int]]:
    return [[number] for number in range(5_000)]


def test_what_watches_the_garbage_collector_is_not_counted() -> None:
    alone = steps_of(left_behind)
    seen: list[str] = []

    def watch(phase: str, _: dict[str, int]) -> None:
        seen.append(phase)

    gc.callbacks.append(watch)
    try:
        watched = steps_of(left_behind)
        left_unwatched = list(seen)
        gc.collect()
    finally:
        gc.callbacks.remove(watch)

    assert watched == alone
    assert left_unwatched == []
    assert seen != []


def test_the_collector_goes_on_after_the_count() -> None:
    steps_of(left_behind)
    assert gc.isenabled()
