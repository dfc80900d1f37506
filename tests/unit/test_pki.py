"""Certificates of components: what is issued, what is refused, and that openssl reads them as we do."""

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from hub.mades.certificates import CertificateType
from hub.mades.pki import (
    MAX_SKEW,
    Authority,
    CertificateRefused,
    PrivateKey,
    Revocation,
    certificate_id,
    check_request,
    common_name,
    is_for,
    issue,
    issue_server,
    issuing_authority,
    make_key,
    pem_of,
    read_chain,
    read_key,
    request_for,
    revocation_list,
    root_authority,
    verify_chain,
    write_key,
)
from tests.programs import need

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
NORTH = "A01:45X-NORTH"
ROOT = root_authority("Test root", now=NOON)
ISSUING = issuing_authority("Test issuing", root=ROOT, now=NOON)
KEY = make_key()
RSA_KEY = rsa.generate_private_key(65537, 2048)


def leaf(kind: CertificateType, *, key: PrivateKey = KEY, authority: Authority = ISSUING) -> x509.Certificate:
    return issue(key.public_key(), NORTH, kind, authority=authority, now=NOON)


def check(certificate: x509.Certificate, kind: CertificateType, *, at: datetime = NOON) -> None:
    verify_chain(certificate, issuing=ISSUING.certificate, root=ROOT.certificate, at=at, kind=kind)


@pytest.fixture
def openssl(tmp_path: Path) -> "Openssl":
    need("openssl")
    (tmp_path / "root.pem").write_bytes(pem_of(ROOT.certificate))
    (tmp_path / "issuing.pem").write_bytes(pem_of(ISSUING.certificate))
    return Openssl(tmp_path)


class Openssl:
    """The independent judge: verdicts of the command line tool at noon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def verifies(self, certificate: x509.Certificate, *options: str, at: datetime = NOON) -> bool:
        (self.folder / "leaf.pem").write_bytes(pem_of(certificate))
        seconds = str(int(at.timestamp()))
        chain = ["-x509_strict", "-attime", seconds, "-CAfile", "root.pem", "-untrusted", "issuing.pem"]
        return self.run("verify", *chain, *options, "leaf.pem")[0] == 0


@pytest.mark.parametrize("kind", CertificateType)
@pytest.mark.parametrize("key", [KEY, RSA_KEY], ids=["ecdsa", "rsa"])
def test_a_certificate_is_good_for_its_own_purpose_only(kind: CertificateType, key: PrivateKey) -> None:
    certificate = leaf(kind, key=key)

    check(certificate, kind)
    assert [other for other in CertificateType if is_for(certificate, other)] == [kind]
    for other in set(CertificateType) - {kind}:
        with pytest.raises(CertificateRefused, match=f"is not one for {other}"):
            check(certificate, other)


@pytest.mark.parametrize("kind", CertificateType)
@pytest.mark.parametrize("key", [KEY, RSA_KEY], ids=["ecdsa", "rsa"])
def test_openssl_agrees_with_the_chain_and_lets_only_authentication_log_in(
    openssl: Openssl, kind: CertificateType, key: PrivateKey
) -> None:
    certificate = leaf(kind, key=key)

    assert openssl.verifies(certificate)
    assert openssl.verifies(certificate, "-purpose", "sslclient") is (kind is CertificateType.AUTHENTICATION)
    assert not openssl.verifies(certificate, "-purpose", "sslserver")


def test_openssl_reads_the_code_and_the_usage(openssl: Openssl) -> None:
    (openssl.folder / "leaf.pem").write_bytes(pem_of(leaf(CertificateType.SIGNING)))

    _, text = openssl.run("x509", "-in", "leaf.pem", "-noout", "-text")

    assert f"Subject: CN = {NORTH}" in text
    assert "Digital Signature, Non Repudiation" in text
    assert "CA:FALSE" in text


def test_the_id_of_a_certificate_is_the_fingerprint_that_openssl_states(openssl: Openssl) -> None:
    certificate = leaf(CertificateType.SIGNING)
    (openssl.folder / "leaf.pem").write_bytes(pem_of(certificate))

    _, text = openssl.run("x509", "-in", "leaf.pem", "-noout", "-fingerprint", "-sha256")

    assert certificate_id(certificate) == text.strip().partition("=")[2].replace(":", "").lower()


def test_a_server_is_known_by_its_names_and_is_no_client(openssl: Openssl) -> None:
    server = issue_server(KEY.public_key(), ["broker.example", "127.0.0.1"], authority=ISSUING, now=NOON)

    assert openssl.verifies(server, "-purpose", "sslserver", "-verify_hostname", "broker.example")
    assert openssl.verifies(server, "-purpose", "sslserver", "-verify_ip", "127.0.0.1")
    assert not openssl.verifies(server, "-verify_hostname", "other.example")
    assert not openssl.verifies(server, "-purpose", "sslclient")
    purposes = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize(
    ("at", "good"),
    [
        (NOON - MAX_SKEW, True),
        (NOON - MAX_SKEW - timedelta(seconds=1), False),
        (NOON + timedelta(days=365, seconds=-1), True),
        (NOON + timedelta(days=365, seconds=1), False),
    ],
)
def test_a_leaf_is_good_for_a_year_and_openssl_agrees(openssl: Openssl, at: datetime, *, good: bool) -> None:
    certificate = leaf(CertificateType.SIGNING)

    assert openssl.verifies(certificate, at=at) is good
    if good:
        check(certificate, CertificateType.SIGNING, at=at)
    else:
        with pytest.raises(CertificateRefused):
            check(certificate, CertificateType.SIGNING, at=at)


def test_a_chain_of_another_root_is_refused_even_with_the_same_names() -> None:
    other = root_authority("Test root", now=NOON)
    forged = leaf(CertificateType.SIGNING, authority=issuing_authority("Test issuing", root=other, now=NOON))

    with pytest.raises(CertificateRefused, match="No chain leads"):
        check(forged, CertificateType.SIGNING)


def test_a_leaf_cannot_issue() -> None:
    holder = Authority(leaf(CertificateType.SIGNING), KEY)
    forged = issue(make_key().public_key(), "A01:FORGED", CertificateType.SIGNING, authority=holder, now=NOON)

    with pytest.raises(CertificateRefused, match="No chain leads"):
        verify_chain(forged, issuing=holder.certificate, root=ROOT.certificate, at=NOON, kind=CertificateType.SIGNING)


def test_the_issuing_authority_makes_no_further_authorities(openssl: Openssl) -> None:
    sub = issuing_authority("Test sub", root=ISSUING, now=NOON)
    (openssl.folder / "issuing.pem").write_bytes(pem_of(ISSUING.certificate, sub.certificate))

    assert openssl.verifies(leaf(CertificateType.SIGNING))
    assert not openssl.verifies(leaf(CertificateType.SIGNING, authority=sub))


@pytest.mark.parametrize("key", [KEY, RSA_KEY], ids=["ecdsa", "rsa"])
def test_a_request_proves_the_possession_of_its_key(key: PrivateKey) -> None:
    assert check_request(request_for(NORTH, key), code=NORTH) == key.public_key()


def test_a_request_for_another_component_is_refused() -> None:
    with pytest.raises(CertificateRefused, match="CN=A01:OTHER expected"):
        check_request(request_for(NORTH, KEY), code="A01:OTHER")


def test_a_request_signed_with_another_key_is_refused() -> None:
    der = bytearray(request_for(NORTH, KEY).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der))

    with pytest.raises(CertificateRefused, match="not signed with the key that it holds"):
        check_request(forged, code=NORTH)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)], ids=["p384", "rsa1024"]
)
def test_a_key_of_another_kind_or_strength_is_refused(key: PrivateKey) -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NORTH)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())

    with pytest.raises(CertificateRefused, match="P-256 or RSA of 2048 bits"):
        check_request(request, code=NORTH)


def test_a_revoked_certificate_is_refused_by_openssl_with_our_list(openssl: Openssl) -> None:
    bad, good = leaf(CertificateType.SIGNING), leaf(CertificateType.SIGNING)
    revoked = [Revocation(bad.serial_number, NOON)]
    lists = [
        revocation_list(revoked, authority=ISSUING, number=2, now=NOON),
        revocation_list([], authority=ROOT, number=1, now=NOON),
    ]
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in lists)
    (openssl.folder / "crl.pem").write_bytes(pem)

    assert openssl.verifies(good, "-crl_check_all", "-CRLfile", "crl.pem")
    assert not openssl.verifies(bad, "-crl_check_all", "-CRLfile", "crl.pem")
    status, text = openssl.run("crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "issuing.pem")
    assert (status, "verify OK" in text) == (0, True)
    assert f"Serial Number: {bad.serial_number:X}" in text.replace("Serial Number: 0", "Serial Number: ")


def test_keys_and_chains_come_back_from_files(tmp_path: Path) -> None:
    certificate = leaf(CertificateType.SIGNING)
    (tmp_path / "chain.pem").write_bytes(pem_of(certificate, ISSUING.certificate, ROOT.certificate))
    write_key(tmp_path / "open.pem", KEY)
    write_key(tmp_path / "locked.pem", RSA_KEY, password=b"secret")

    assert read_chain(tmp_path / "chain.pem") == [certificate, ISSUING.certificate, ROOT.certificate]
    assert read_key(tmp_path / "open.pem").private_numbers() == KEY.private_numbers()
    assert read_key(tmp_path / "locked.pem", password=b"secret").private_numbers() == RSA_KEY.private_numbers()


@pytest.mark.parametrize("password", [None, b"wrong"])
def test_a_locked_key_needs_its_password(tmp_path: Path, password: bytes | None) -> None:
    write_key(tmp_path / "locked.pem", KEY, password=b"secret")

    with pytest.raises(CertificateRefused, match="no private key that this password opens"):
        read_key(tmp_path / "locked.pem", password=password)


def test_a_key_file_is_its_owners_only_and_never_overwritten(tmp_path: Path) -> None:
    write_key(tmp_path / "key.pem", KEY)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_key(tmp_path / "key.pem", make_key())


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(b"nothing")

    with pytest.raises(CertificateRefused, match="holds no certificates"):
        read_chain(tmp_path / "chain.pem")


def test_the_name_of_a_component_is_its_code() -> None:
    assert common_name(leaf(CertificateType.ENCRYPTION)) == NORTH
