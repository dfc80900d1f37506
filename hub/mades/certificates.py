"""What a certificate is for, as words: no bytes, no keys, so that everybody may know them."""

from enum import StrEnum


class CertificateType(StrEnum):
    """The three certificates of a component; each is issued for one purpose and refused for the others."""

    AUTHENTICATION = "AUTHENTICATION"
    """Logs in to the broker and the directory (TLS client)."""
    SIGNING = "SIGNING"
    """Signs manifests."""
    ENCRYPTION = "ENCRYPTION"
    """Others encrypt for its holder."""
