"""Components with keys and certificates for tests of sealed messages: a hub, a DSO and two AGRs, one of them on RSA."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate
from lxml import etree
from msgspec import Struct, structs

from hub.mades.certificates import CertificateType
from hub.mades.codec import Limits, framed, parted
from hub.mades.errors import MadesError
from hub.mades.keyring import Keys, StaticCertificates
from hub.mades.message import Acknowledgement, BusinessType, InternalType, Message
from hub.mades.pki import Authority, PrivateKey, certificate_id, issue, issuing_authority, make_key, root_authority
from hub.mades.seal import Sealer
from hub.mades.signature import sign

HUB, NORTH, ALPHA, BRAVO = "A01:45X-HUB", "A01:45X-NORTH", "A10:5790000000012", "A01:45X-BRAVO"
NOON = datetime(2026, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
DAY = timedelta(days=1)

STANDARD = Message(
    message_id="0123456789abcdef0123456789abcdef",
    internal_type=InternalType.STANDARD,
    sender=NORTH,
    receiver=HUB,
    business_type=BusinessType.POINTS,
    ba_message_id="doc-1",
    sender_application="planner",
    generated=NOON,
    expires=NOON + DAY,
    content=b"<Ref_MarketDocument/>" * 100,
)
SAID = Acknowledgement(
    kind=InternalType.FAILURE,
    related="m-7",
    manifest_digest="ab" * 32,
    plain_digest="cd" * 32,
    event_time=NOON,
    reason="E-NO-PATH",
)
ACKNOWLEDGEMENT = structs.replace(
    STANDARD,
    internal_type=InternalType.FAILURE,
    content=b"",
    acknowledgements=(SAID,),
)
LIST = structs.replace(
    ACKNOWLEDGEMENT,
    internal_type=InternalType.LIST,
    acknowledgements=(
        structs.replace(SAID, kind=InternalType.DELIVERY, related="m-8", reason=None),
        structs.replace(SAID, kind=InternalType.RECEIVE, related="m-8", reason=None),
        SAID,
    ),
)
TRACING = structs.replace(STANDARD, internal_type=InternalType.TRACING, content=b"")


class Holder(Struct, frozen=True):
    """A component's keys, and its certificates as the directory lists them."""

    keys: Keys
    encryption_key: PrivateKey
    signing: Certificate
    encryption: Certificate


@cache
def issuing() -> Authority:
    return issuing_authority("Test issuing", root=root_authority("Test root", now=NOON), now=NOON)


def holder(code: str, *, make: Callable[[], PrivateKey] = make_key, now: datetime = NOON) -> Holder:
    signing_key, encryption_key = make(), make()
    signing, encryption = (
        issue(key.public_key(), code, kind, authority=issuing(), now=now)
        for key, kind in ((signing_key, CertificateType.SIGNING), (encryption_key, CertificateType.ENCRYPTION))
    )
    keys = Keys(signing_key, signing, {certificate_id(encryption): encryption_key})
    return Holder(keys, encryption_key, signing, encryption)


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def holders() -> Mapping[str, Holder]:
    """The components; BRAVO's keys are RSA."""
    return {code: holder(code) for code in (HUB, NORTH, ALPHA)} | {BRAVO: holder(BRAVO, make=rsa_key)}


def listed() -> list[Certificate]:
    return [each for holder in holders().values() for each in (holder.signing, holder.encryption)]


def directory() -> StaticCertificates:
    return StaticCertificates(listed())


def sealer(code: str, *, limits: Limits | None = None, directory: StaticCertificates | None = None) -> Sealer:
    certificates = directory or StaticCertificates(listed())
    return Sealer(code, holders()[code].keys, certificates, limits=limits or Limits())


def opened(body: bytes, by: Sealer) -> Message:
    """All three steps."""
    return by.open(by.verify(by.look(body)))


def code_of(body: bytes, by: Sealer) -> str:
    """The code with which a body is refused; "" if it is taken."""
    try:
        opened(body, by)
    except MadesError as error:
        return error.code
    return ""


def changed(body: bytes, change: Callable[[etree._Element], object]) -> bytes:
    """The body with its manifest's tree changed, and nothing signed again."""
    manifest, payload = parted(body)
    root = etree.fromstring(manifest)
    change(root)
    return framed(etree.tostring(root), payload)


def signed_again(
    body: bytes, change: Callable[[etree._Element], object], *, key: PrivateKey | None = None, signer: str = ""
) -> bytes:
    """The body with its manifest changed and signed again: by NORTH, unless said otherwise."""
    manifest, payload = parted(body)
    root = etree.fromstring(manifest)
    change(root)
    root.remove(root[-1])
    north = holders()[NORTH]
    signed = sign(root, key or north.keys.signing, signer=signer or certificate_id(north.signing))
    return framed(etree.tostring(signed), payload)
