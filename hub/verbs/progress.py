"""How far long work has come: a bar with rate and time left on a terminal, nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Task

Reached = Callable[[int], None]
"""Told how much of the total is done."""


@contextmanager
def progress(work: str, total: int | None = None, *, done: int = 0) -> Iterator[Reached]:
    """Show on stderr how much of `total`, where it is known, is done, beginning at `done`."""
    from rich.console import Console  # noqa: PLC0415 - `--help` need not load it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        """What is done in a second, as soon as that is known."""

        def render(self, task: "Task") -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(work, total=total, completed=done)
        yield lambda reached: bar.update(task, completed=reached)
