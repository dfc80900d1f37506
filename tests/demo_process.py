"""The demo as a user runs it: a process of its own, watched line by line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TPS: Final = Path(sys.executable).with_name("tps")
PATIENCE_S: Final = 100


class DemoProcess:
    """A started demo; what it prints can be waited for."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self.printed: list[str] = []
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TERM": "dumb", "COLUMNS": "200"}
        self._process = subprocess.Popen(  # our own command line
            command,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, words: str) -> str:
        """The first line from here on with these words. Fails with all that was printed when it ends without it."""
        assert self._process.stdout
        for line in self._process.stdout:
            self.printed.append(line)
            if words in line:
                return line
        raise AssertionError(f"The demo ended without {words!r}:\n{self.text}")

    def end(self) -> int:
        """Read to the end and give the exit code."""
        assert self._process.stdout
        self.printed += self._process.stdout.readlines()
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """As a power cut would: no chance to tidy up, for nobody of its group."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def freeze(self) -> None:
        """Stand still without ending, as a machine does that hangs."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on as if nothing had been."""
        os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return "".join(self.printed)

    def close(self) -> None:
        """Be gone, whatever state it is in."""
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout
        self._process.stdout.close()


@contextmanager
def demo(cwd: Path, *options: str, command: tuple[str, ...] = (str(TPS), "demo")) -> Iterator[DemoProcess]:
    """A demo on free ports with its folder `.demo` below `cwd`; gone after the block."""
    process = DemoProcess([*command, *options], cwd)
    try:
        yield process
    finally:
        process.close()
