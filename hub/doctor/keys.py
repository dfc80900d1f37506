"""Looks at keys and certificates in a folder: is everything there, good now, for its purpose, from the right root?"""

import stat
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from hub.directory_service.authority import open_authority
from hub.doctor.finding import Finding
from hub.errors import SettingsError
from hub.mades import credentials, pki
from hub.mades.certificates import CertificateType
from hub.mades.enrolment import RENEW_BEFORE
from hub.settings import Directory

WHERE: Final = "certificates"
AUTHORITY_BEFORE: Final = timedelta(days=180)
"""A new issuing certificate needs the root's key, and everybody's next certificates end with it."""
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
REGISTER: Final = "Register it with `tps mades register`, or let `tps init` make it."
RENEW: Final = "A running component renews by itself; for one that does not run: `tps mades renew`."
ANEW: Final = "Ask the operator of the platform for a new token, and register anew."


def component(folder: Path, code: str, *, now: datetime) -> Iterator[Finding]:
    """What is wrong with the keys and certificates of the component `code` in this folder."""
    yield from private(folder)
    try:
        held = credentials.load(folder)
    except (OSError, pki.CertificateRefused) as error:
        yield Finding(WHERE, str(error), f"keys and certificates of {code}", REGISTER)
        return
    if held.code != code:
        do = "Correct the id in the settings, or let mades.dir name the right folder."
        yield Finding("names", f"certificates of {held.code} in {folder}", f"those of {code}, as the settings say", do)
    for kind in CertificateType:
        yield from _of_type(held, kind, now)
    for pair in held.pairs:
        yield from _pair(pair)


def authority(chosen: Directory, *, now: datetime) -> Iterator[Finding]:
    """What is wrong with what a directory issues and signs with."""
    yield from private(chosen.dir)
    if (chosen.dir / "root.key").exists():
        found = f"the key of the root in {chosen.dir / 'root.key'}"
        yield Finding(WHERE, found, "it offline", "Take it away; only a new issuing authority needs it.")
    try:
        held = open_authority(chosen.dir)
    except SettingsError as error:
        yield Finding(WHERE, str(error), "an authority", "Make one with `tps directory init` or `tps init`.")
        return
    for certificate, name in ((held.issuing.certificate, "issuing"), (held.root, "root")):
        yield from ends([certificate], name, now=now, before=AUTHORITY_BEFORE, do="Make a new one with the root's key.")
    yield from _server(chosen, now)


def private(folder: Path) -> Iterator[Finding]:
    """Keys and settings in this folder that others may read."""
    for file in sorted((*folder.glob("*.key"), *folder.glob("settings.toml"))):
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & OTHERS:
            do = f"Do: chmod 600 {file}; if others have used this machine, register anew."
            yield Finding(WHERE, f"{file} with mode {mode:o}, which others may read", "mode 600", do)


def ends(
    certificates: Sequence[x509.Certificate], name: str, *, now: datetime, before: timedelta, do: str
) -> Iterator[Finding]:
    """What is wrong with the time of the last of these certificates."""
    last = max(certificates, key=lambda each: each.not_valid_after_utc)
    begin, end = last.not_valid_before_utc, last.not_valid_after_utc
    if end <= now:
        yield Finding(WHERE, f"the {name} certificate expired on {end:%Y-%m-%d}", "one that holds", do)
    elif begin > now:
        do = "Set this machine's clock."
        yield Finding(WHERE, f"the {name} certificate holds from {begin.isoformat()} only", "one that holds now", do)
    elif end - now < before:
        found = f"the {name} certificate ends soon, on {end:%Y-%m-%d}"
        yield Finding(WHERE, found, f"{before.days} days or more", do)


def _of_type(held: credentials.Credentials, kind: CertificateType, now: datetime) -> Iterator[Finding]:
    pairs = held.of_type(kind)
    if not pairs:
        yield Finding(WHERE, f"no {kind} certificate of {held.code}", "one", ANEW)
        return
    certificates = [pair.certificate for pair in pairs]
    late = max(each.not_valid_after_utc for each in certificates) <= now
    yield from ends(certificates, kind, now=now, before=RENEW_BEFORE, do=ANEW if late else RENEW)
    for certificate in certificates:
        if certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            yield from _chain(held, certificate, kind, now)


def _chain(
    held: credentials.Credentials, certificate: x509.Certificate, kind: CertificateType, now: datetime
) -> Iterator[Finding]:
    try:
        pki.verify_chain(certificate, issuing=held.issuing, root=held.root, at=now, kind=kind)
    except pki.CertificateRefused as error:
        expected = "a certificate that leads to root.pem of the same folder"
        yield Finding(WHERE, f"the {kind} certificate: {error}", expected, ANEW)


def _pair(pair: credentials.KeyPair) -> Iterator[Finding]:
    if not any(pki.is_for(pair.certificate, kind) for kind in CertificateType):
        expected = f"one for {', '.join(CertificateType)}"
        yield Finding(WHERE, f"a certificate for another purpose in {pair.certificate_file}", expected, ANEW)
    if pair.key.public_key() != pair.certificate.public_key():
        yield Finding(WHERE, f"{pair.key_file} for another certificate", f"the key of {pair.certificate_file}", ANEW)


def _server(chosen: Directory, now: datetime) -> Iterator[Finding]:
    """The listener's certificate, once it was made; it is made anew at the next start."""
    file, do = chosen.dir / "server.pem", "Start the directory again: it makes a new one."
    if not file.exists():
        return
    certificate = pki.read_chain(file)[0]
    yield from ends([certificate], "server", now=now, before=timedelta(0), do=do)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if (found := {str(name.value) for name in names}) != set(chosen.host_names):
        listed = ", ".join(sorted(found))
        yield Finding("names", f"{listed} in the server certificate", f"{chosen.hosts}, as directory.hosts says", do)
