"""How far long work has come: a bar with rate and time left on a terminal, nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Reached = Callable[[int], None]
"""Told how much of the total is done."""


@contextmanager
def progress(work: str, total: int, *, done: int = 0) -> Iterator[Reached]:
    """Show on stderr how much of `total` is done, beginning at `done`."""
    from rich.console import Console  # noqa: PLC0415 - `--help` need not load it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.speed:,.0f}/s", justify="right")
    with Progress(*columns, rate, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(work, total=total, completed=done)
        yield lambda reached: bar.update(task, completed=reached)
