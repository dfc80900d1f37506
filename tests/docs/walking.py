"""Types what the manual says: one block after the other, in a folder."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 150


class Shell:
    """Runs one block after the other in a folder; what a block leaves running ends with the test."""

    def __init__(self, folder: Path, localised: Callable[[str], str], environment: dict[str, str]) -> None:
        self._folder, self._localised, self._environment = folder, localised, environment
        self._groups: list[int] = []

    @property
    def group(self) -> int:
        """The process group of the last block."""
        return self._groups[-1]

    async def run(self, block: str) -> str:
        """What a block printed. Fails with all of it when the block does not end well."""
        output = self._folder / f"block-{len(self._groups)}"
        with output.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *("bash", "-euo", "pipefail", "-c", self._localised(block)),
                cwd=self._folder,
                env=self._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            async with asyncio.timeout(PATIENCE_S):
                code = await process.wait()
        assert code == 0, f"{block}\n{output.read_text(errors='replace')[-4000:]}"
        return output.read_text()

    def text(self) -> str:
        """All that was printed so far, by what runs on too."""
        names = (f"block-{number}" for number in range(len(self._groups)))
        return "".join((self._folder / name).read_text(errors="replace") for name in names)

    def end(self) -> None:
        """End what runs on."""
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
