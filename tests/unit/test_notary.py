"""What a component has signed is known as its own, and nothing else is."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate, load_der_x509_certificate
from msgspec.structs import replace

from hub.clock import ManualClock
from hub.mades import pki
from hub.mades.notary import Attestation, Notary, check
from tests.notary_world import HUB, keys_in

CONTENT = b"what was signed"
NOW = ManualClock().now()


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    return keys_in(tmp_path, ManualClock())


@pytest.fixture
def root(notary: Notary, tmp_path: Path) -> Certificate:
    return pki.read_chain(tmp_path / "root.pem")[0]


def flips(content: bytes) -> Iterator[bytes]:
    """The content with each of its bytes changed, one after the other."""
    for at in range(len(content)):
        yield content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :]


def test_what_was_signed_is_known_by_the_root(notary: Notary, root: Certificate) -> None:
    check(CONTENT, notary.attest(CONTENT, NOW), root=root, code=HUB, at=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        lambda made: (replace(made, signature=each) for each in flips(made.signature)),
        lambda made: (
            replace(made, signer=replace(made.signer, certificate=each)) for each in flips(made.signer.certificate)
        ),
        lambda made: (replace(made, signer=replace(made.signer, issuing=each)) for each in flips(made.signer.issuing)),
        lambda made: (replace(made, fingerprint=each.hex()) for each in flips(bytes.fromhex(made.fingerprint))),
    ],
    ids=["signature", "certificate", "issuing", "fingerprint"],
)
def test_a_changed_byte_is_no_signature(
    notary: Notary, root: Certificate, changed: Callable[[Attestation], Iterator[Attestation]]
) -> None:
    for attestation in changed(notary.attest(CONTENT, NOW)):
        with pytest.raises(pki.CertificateRefused):
            check(CONTENT, attestation, root=root, code=HUB, at=NOW)


def test_other_content_another_component_and_another_time_are_refused(notary: Notary, root: Certificate) -> None:
    made = notary.attest(CONTENT, NOW)

    with pytest.raises(pki.CertificateRefused, match="not one over this content"):
        check(CONTENT + b".", made, root=root, code=HUB, at=NOW)
    with pytest.raises(pki.CertificateRefused, match="expected 'A01:ALPHA'"):
        check(CONTENT, made, root=root, code="A01:ALPHA", at=NOW)
    with pytest.raises(pki.CertificateRefused, match="No chain"):
        check(CONTENT, made, root=root, code=HUB, at=NOW + timedelta(days=400))


def test_another_root_does_not_vouch(notary: Notary, tmp_path: Path) -> None:
    keys_in(tmp_path / "other", ManualClock())
    other = pki.read_chain(tmp_path / "other" / "root.pem")[0]

    with pytest.raises(pki.CertificateRefused, match="No chain"):
        check(CONTENT, notary.attest(CONTENT, NOW), root=other, code=HUB, at=NOW)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_one_command_of_openssl_reads_the_signature(tmp_path: Path, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    made = keys_in(tmp_path, ManualClock(), key=key).attest(CONTENT, NOW)
    public = load_der_x509_certificate(made.signer.certificate).public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "signature").write_bytes(made.signature)

    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "content"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout) == (0, "Verified OK\n")
    check(CONTENT, made, root=pki.read_chain(tmp_path / "root.pem")[0], code=HUB, at=NOW)
