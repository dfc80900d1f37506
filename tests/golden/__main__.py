"""Write the golden log of the present version: `make golden`, once before each release."""

import argparse
import asyncio
import shutil
from pathlib import Path

from hub.version import VERSION
from tests.golden.log import played, save


def main() -> None:
    """Play the day and keep it in a folder named by the version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="replace it; only as long as the version is not released")
    folder = Path(__file__).parent / VERSION
    if folder.exists():
        if not parser.parse_args().again:
            parser.error(f"{folder.name} has a golden log already. It stays; raise the version in hub/version.py.")
        shutil.rmtree(folder)
    golden = asyncio.run(played())
    save(golden, folder)
    print(  # noqa: T201 - a command of the developers
        f"{folder.name}: {len(golden.events)} events, {len(golden.rows)} rows, "
        f"{len(golden.came)} documents came, {len(golden.left)} left."
    )


if __name__ == "__main__":
    main()
