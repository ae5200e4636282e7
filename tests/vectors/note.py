#!/usr/bin/env python3
"""Known answers for crypto/FORMAT.md section 7, made without any code of ours: writes note.txt beside this file. Needs
python3-cryptography.

The format is checked against the example that the documentation of Go's sumdb/note package and its tests have: the keys
of PeterNeumann and EnochRoot, and the note that both have signed.
"""
import base64
import hashlib
import pathlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]  # behind the kind of key
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = ("\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6R"
              "yyBwJnAM=\n")
ENOCH_LINE = ("\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1R"
              "vMc+QQ=\n")
# RFC 8032 section 7.1, test 1: the sign_sk of envelope.py too.
OURS = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(name, pk):
    return hashlib.sha256(name.encode() + b"\n\1" + pk).digest()[:4]


def vkey(name, pk):
    return f"{name}+{key_id(name, pk).hex()}+{base64.b64encode(bytes([1]) + pk).decode()}"


def line(name, key, text):
    signed = key_id(name, public(key)) + key.sign(text.encode())
    return f"\u2014 {name} {base64.b64encode(signed).decode()}\n"


def check_published():
    peter = Ed25519PrivateKey.from_private_bytes(PETER_SEED)
    assert vkey("PeterNeumann", public(peter)) == PETER
    assert line("PeterNeumann", peter, TEXT) == PETER_LINE
    enoch = base64.b64decode(ENOCH.split("+", 2)[2])[1:]
    assert vkey("EnochRoot", enoch) == ENOCH
    signed = base64.b64decode(ENOCH_LINE.split()[2])
    assert signed[:4] == key_id("EnochRoot", enoch)
    Ed25519PublicKey.from_public_bytes(enoch).verify(signed[4:], TEXT.encode())  # raises when it does not hold


def lines():
    yield "# Known answers, crypto/FORMAT.md section 7; made by note.py. The example of Go's sumdb/note package."
    yield f"peter_seed {PETER_SEED.hex()}"
    for name, text in (("peter_key", PETER), ("enoch_key", ENOCH), ("text", TEXT), ("peter_line", PETER_LINE),
                       ("enoch_line", ENOCH_LINE)):
        yield f"{name} {text.encode().hex()}"
    yield "# Checkpoints by the Ed25519 key of RFC 8032 section 7.1, test 1: of a log of 20,852,163 leaves, of the largest"
    yield "# log, and of one without leaves."
    for name, size, root in (("some", 20852163, bytes(range(32))), ("most", 2**63 - 1, b"\xff" * 32),
                             ("none", 0, hashlib.sha256(b"").digest())):
        origin = "spoke.example/hub/\u00e9" + name
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        yield f"{name}_key {vkey(origin, public(OURS)).encode().hex()}"
        yield f"{name}_note {(text + chr(10) + line(origin, OURS, text)).encode().hex()}"


check_published()
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines()) + "\n")
