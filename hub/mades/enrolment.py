"""How a component comes to its certificates, and to new ones (floor 5; MADES 4.5.1, AG 5.26).

Keys are made in the component's own folder and never leave it. Every step may be repeated: a repeat carries the same
requests, and the directory answers as it did the first time.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hub.directory.calls import RegistrationAnswer, RegistrationRequest, RenewalAnswer, RenewalRequest
from hub.directory.values import Contact, Status
from hub.mades import credentials, pki
from hub.mades.https import call

RENEW_BEFORE: Final = timedelta(days=30)
COMPONENT: Final = "component.json"


class Component(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a component was told when it was let in; kept in its folder as `component.json`, for its owner's eyes."""

    code: str
    directory: str
    directory_url: str
    brokers: tuple[str, ...]
    queue_suffix: str


async def register(
    folder: Path, url: str, *, token: str, code: str, contact: Contact, root_pem: str, at: datetime
) -> RegistrationAnswer:
    """Ask to take part, or ask again how that stands. Once APPROVED, keys and certificates are in `folder`.

    `root_pem` is the root of the platform, from its operator: nobody else is believed to be the directory.

    Raises:
        Rejected: the token opens nothing, or the request cannot be used.
        Unavailable: the directory does not answer.
        CertificateRefused: what came is not for our keys, or not from this root.
    """
    asked = RegistrationRequest(code=code, contact=contact, requests=credentials.requests_in(folder, code))
    context = credentials.server_trust(root_pem)
    reply = await call(
        "POST", url.rstrip("/") + "/registration", msgspec.json.encode(asked), context=context, token=token
    )
    answer = msgspec.json.decode(reply.body, type=RegistrationAnswer)
    if answer.status is Status.APPROVED:
        _check_root(answer, root_pem)
        keep(folder, url, answer, at=at)
    return answer


async def renew(folder: Path, url: str, *, at: datetime, before: timedelta = RENEW_BEFORE) -> bool:
    """New certificates, when the present ones end within `before`; whether there are new ones now.

    Raises Rejected, Unavailable, CertificateRefused.
    """
    held = credentials.load(folder)
    if held.ends() - at > before:
        return False
    asked = RenewalRequest(requests=credentials.requests_in(folder, held.code))
    context = held.client_context(at)
    reply = await call("POST", url.rstrip("/") + "/renewal", msgspec.json.encode(asked), context=context)
    answer = msgspec.json.decode(reply.body, type=RenewalAnswer)
    chain = [credentials.der_of(held.issuing), credentials.der_of(held.root)]
    credentials.adopt(folder, held.code, answer.certificates, chain=chain, at=at)
    return True


def component_in(folder: Path) -> Component:
    """What the component in this folder was told. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((folder / COMPONENT).read_bytes(), type=Component)


def keep(folder: Path, url: str, answer: RegistrationAnswer, *, at: datetime) -> None:
    """Keep what an approved registration was answered: certificates for the pending keys, and `component.json`.

    Raises CertificateRefused.
    """
    credentials.adopt(folder, answer.code, answer.certificates, chain=answer.chain, at=at)
    told = Component(
        code=answer.code,
        directory=answer.directory,
        directory_url=url,
        brokers=answer.brokers,
        queue_suffix=answer.queue_suffix,
    )
    credentials.write(folder / COMPONENT, msgspec.json.encode(told))


def _check_root(answer: RegistrationAnswer, root_pem: str) -> None:
    if credentials.der_of(credentials.first_of(root_pem)) != answer.chain[-1]:
        raise pki.CertificateRefused("The certificates come from another root than the one that was given.")
