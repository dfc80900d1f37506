"""Looks whether somebody is reached: the name, the port, TLS; each has a fault of its own. And whether clocks agree."""

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from hub.doctor.finding import Finding
from hub.mades.pki import MAX_SKEW

TIMEOUT_S: Final = 5.0


async def server(what: str, host: str, port: int, tls: ssl.SSLContext | None = None) -> Finding | None:
    """Why the server `what` is not reached at host and port; None when it is."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host if tls else None)
    except socket.gaierror:
        return Finding(what, f"no address for the name {host}", "a name that is known here", "Check it and the DNS.")
    except ssl.SSLCertVerificationError as error:
        return _certificate(what, where, error)
    except (ssl.SSLError, ConnectionResetError) as error:
        found = f"TLS refused by {where} ({error})"
        return Finding(what, found, "TLS 1.3 with our certificate", "Check that the port and the root are right.")
    except TimeoutError:
        return Finding(what, f"no answer from {where} in {TIMEOUT_S:.0f} s", "one", "Check firewalls on the way.")
    except OSError as error:
        found = f"connection to {where} refused ({error.strerror or error})"
        return Finding(what, found, f"{what} there", "Start it, or correct its address.")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return None


def clocks(theirs: str, *, now: datetime) -> Finding | None:
    """Whether our clock and the directory's (its header `Date`) are further apart than messages may be."""
    try:
        there = parsedate_to_datetime(theirs)
    except ValueError:
        return Finding("clocks", f"the date {theirs!r} from the directory", "one", "Look for a proxy on the way.")
    apart = now - there.replace(tzinfo=there.tzinfo or UTC)
    if abs(apart) <= MAX_SKEW:
        return None
    side = "ahead of" if apart > MAX_SKEW else "behind"
    found = f"this clock {abs(apart).total_seconds():.0f} s {side} the directory"
    return Finding("clocks", found, f"at most {MAX_SKEW.total_seconds():.0f} s", "Let both follow a time server (NTP).")


def _certificate(what: str, where: str, error: ssl.SSLCertVerificationError) -> Finding:
    if "ostname mismatch" in error.verify_message or "IP address mismatch" in error.verify_message:
        found = f"a certificate of {where} that is not for this name"
        return Finding("names", found, "the name that we use in it", f"Correct the address, or the hosts of {what}.")
    found = f"a certificate of {where} that is not good ({error.verify_message})"
    return Finding(what, found, "one that leads to our root", "Check that it belongs to this platform.")
