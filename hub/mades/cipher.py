"""Content for one receiver: a fresh AES-256-GCM key per message, agreed or wrapped with its ENCRYPTION certificate.

P-256: ECDH with an ephemeral key, HKDF-SHA256 with the codes and the message id. RSA: OAEP with SHA-256. The envelope
data is bound to the ciphertext as additional data, so that it cannot be moved to another message.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509 import Certificate

from hub.mades.errors import MadesError
from hub.mades.manifest import Encryption, Scheme
from hub.mades.message import Message
from hub.mades.pki import PrivateKey, certificate_id

KEY_BYTES: Final = 32
IV_BYTES: Final = 12
TAG_BYTES: Final = 16
_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


def encrypt(content: bytes, message: Message, certificate: Certificate) -> tuple[Encryption, bytes]:
    """Encrypt for the holder of `certificate`; returns how, and the ciphertext with its tag.

    Raises:
        MadesError: E-NO-CERT when the certificate holds a key of another kind.
    """
    scheme, wrapped, key = _new_key(message, certificate)
    iv = os.urandom(IV_BYTES)
    encryption = Encryption(scheme=scheme, certificate_id=certificate_id(certificate), key=wrapped, iv=iv)
    return encryption, AESGCM(key).encrypt(iv, content, _bound(message))


def decrypt(payload: bytes, message: Message, encryption: Encryption, key: PrivateKey) -> bytes:
    """Decrypt what was encrypted for the certificate of `key`.

    Raises:
        MadesError: E-DECRYPT, whatever the reason: a sender learns no more than that.
    """
    try:
        return AESGCM(_known_key(message, encryption, key)).decrypt(encryption.iv, payload, _bound(message))
    except (InvalidTag, ValueError) as error:
        raise MadesError("E-DECRYPT", "The payload is not what was encrypted for us.", message=message) from error


def _new_key(message: Message, certificate: Certificate) -> tuple[Scheme, bytes, bytes]:
    receiver = certificate.public_key()
    match receiver:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            ephemeral = ec.generate_private_key(ec.SECP256R1())
            key = _derived(ephemeral.exchange(ec.ECDH(), receiver), message)
            return Scheme.ECDH_ES, _point(ephemeral.public_key()), key
        case rsa.RSAPublicKey():
            key = os.urandom(KEY_BYTES)
            return Scheme.RSA_OAEP, receiver.encrypt(key, _OAEP), key
    raise MadesError("E-NO-CERT", f"The ENCRYPTION certificate of {message.receiver} holds a key of another kind.")


def _known_key(message: Message, encryption: Encryption, key: PrivateKey) -> bytes:
    match key, encryption.scheme:
        case ec.EllipticCurvePrivateKey(), Scheme.ECDH_ES:
            ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encryption.key)
            return _derived(key.exchange(ec.ECDH(), ephemeral), message)
        case rsa.RSAPrivateKey(), Scheme.RSA_OAEP:
            return key.decrypt(encryption.key, _OAEP)
    raise ValueError(f"{encryption.scheme} is not for this key")


def _derived(shared: bytes, message: Message) -> bytes:
    info = f"{message.sender}|{message.receiver}|{message.message_id}".encode()
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(shared)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _bound(message: Message) -> bytes:
    """What the ciphertext belongs to. No field may hold the bar, so the whole is unambiguous."""
    fields = (message.message_id, message.sender, message.receiver, message.business_type, message.internal_type)
    return "|".join(fields).encode()
