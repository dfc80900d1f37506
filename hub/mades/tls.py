"""TLS between component and broker: version 1.3, both sides show a certificate (MADES: mutual authentication)."""

import ssl
from pathlib import Path

from hub.errors import SettingsError


def client_context(*, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """What a component connects with: its AUTHENTICATION certificate with chain, its key, whom it trusts (PEM files).

    Raises:
        SettingsError: a file cannot be read, or key and certificate are no pair.
    """
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key, authority)


def server_context(*, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """What the embedded broker listens with; nobody without a certificate comes in. Files and errors as above."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key, authority)


def _loaded(context: ssl.SSLContext, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The certificate {certificate}, its key {key} or the authority {authority} cannot be used: {error}. "
            "Expected: PEM files that belong together and that this user may read."
        ) from error
    return context
