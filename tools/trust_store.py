"""Gives Java the certificates that Python trusts, as a Java key store (JKS, written by hand).

A Java from the package index brings its own certificates, so behind a proxy that signs anew it
would trust nobody. `keytool` takes half a second for each of 140 certificates; this takes none.
"""

import hashlib
import ssl
import struct
from pathlib import Path

PASSWORD = "changeit"  # Java's own default; a store of public certificates keeps no secret


def write_trust_store(path: Path) -> bool:
    """Writes the store; False, and nothing written, where Python itself knows no certificates."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        return False
    body = struct.pack(">IIi", 0xFEEDFEED, 2, len(certificates))
    for number, der in enumerate(certificates):
        body += struct.pack(">I", 2) + _text(f"ca{number}") + struct.pack(">Q", 0)
        body += _text("X.509") + struct.pack(">I", len(der)) + der
    seal = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body)  # as JKS says
    path.write_bytes(body + seal.digest())
    return True


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
