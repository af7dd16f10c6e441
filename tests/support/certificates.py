"""Certificate authorities of a test, and servers with certificates that they issued."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def an_authority(name: str, directory: Path) -> Path:
    """Write the certificate of a new authority, and a server key and certificate for 127.0.0.1.

    Return the path of the authority's certificate.
    """
    key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    subject, leaf = _named(name), _named(f"a server of {name}")
    root = _begun(subject, subject, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    served = _begun(leaf, subject, leaf_key.public_key()).add_extension(host, critical=False)
    file = directory / f"{name.lower()}.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(root.sign(key, hashes.SHA256()).public_bytes(pem))
    (directory / f"{name.lower()}.chain").write_bytes(
        leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + served.sign(key, hashes.SHA256()).public_bytes(pem)
    )
    return file


def server_context(authority: Path) -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate this authority has issued."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_suffix(".chain"))
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
