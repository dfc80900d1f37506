#!/usr/bin/env -S python3 -IS
"""Whether the process in this container is well: it takes work, or stands by for the one that does.

Asks /health/ready where the environment says that the process listens. Exit codes: 0 well, 1 not, with the reason.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

TIMEOUT_S = 8.0
STANDING_BY = "standing by"


def main() -> int:
    """Ask, print the answer, judge it."""
    host, port = os.environ["TPS__HTTP__HOST"], int(os.environ["TPS__HTTP__PORT"])
    if "TPS__HTTP__CERT_FILE" in os.environ:
        import ssl  # noqa: PLC0415 # seldom needed, and slow to load

        # The certificate is for the names that clients use; here the process behind the port is meant.
        unverified = ssl._create_unverified_context()  # noqa: S323 # see above
        door: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=unverified)
    else:
        door = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        door.request("GET", "/health/ready")
        answer = door.getresponse()
        status, text = answer.status, answer.read().decode().strip()
    except (HTTPException, OSError) as error:
        status, text = 0, f"no answer: {error}"
    sys.stdout.write(f"{text}\n")
    return 0 if status == 200 or text == STANDING_BY else 1


if __name__ == "__main__":
    sys.exit(main())
