"""The version of this package; the build reads it from here, `tps --version` answers with it."""

from typing import Final

VERSION: Final = "0.1.0"
