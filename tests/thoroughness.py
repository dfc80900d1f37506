"""How hard the properties are tried: `TPS_TEST_EXAMPLES` multiplies the number of examples of each (default 1)."""

import os
from typing import Final

FACTOR: Final = float(os.environ.get("TPS_TEST_EXAMPLES", "1"))


def examples(usual: int) -> int:
    """The number of examples to try of a property that is usually tried `usual` times; at least 3."""
    return max(3, round(usual * FACTOR))
