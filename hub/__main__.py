"""`python -m hub` is the command `tps`."""

from hub.cli import main

main()
