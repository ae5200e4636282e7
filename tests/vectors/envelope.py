#!/usr/bin/env python3
"""Known answers for sync/FORMAT.md sections 1 and 2, made without any code of ours: writes changeset.txt and
envelope.txt beside this file. Needs python3-cryptography."""
import hashlib
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, fmt in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if n < 256 ** struct.calcsize(fmt):
            return bytes([major << 5 | info]) + struct.pack(fmt, n)


def cbor(v):
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(cbor, v))
    pairs = sorted((cbor(k), cbor(x)) for k, x in v.items())
    return head(5, len(pairs)) + b"".join(k + x for k, x in pairs)


def text(s):
    return bytes([3, len(s)]) + s.encode()


def key(byte):
    return bytes([4, 16]) + bytes([byte]) * 16


def table(mark):
    return mark + bytes([4, 1, 0, 0, 0]) + b"duty\0"


insert = b"\x12\0" + key(0x11) + key(0x33) + text("North") + text("manager")
changeset = (table(b"T") + insert
             + b"\x17\0" + key(0x22) + b"\0" + text("North") + b"\0" + b"\0\0" + text("South") + b"\0"
             + b"\x09\0" + key(0x33) + key(0x11) + text("*") + b"\5")
patchset = (table(b"P") + insert
            + b"\x17\0" + key(0x22) + b"\0" + text("South") + b"\0"
            + b"\x09\0" + key(0x33))
(HERE / "changeset.txt").write_text(f"""\
# Known answer, sync/FORMAT.md section 1; made by envelope.py. Table duty(id, practitioner, area, duty): a row 11.. is
# made for practitioner 33.. in North as manager; row 22.. moves from North to South; row 33.. (practitioner 11.., area *,
# no duty) is deleted.
changeset {changeset.hex()}
# The same as a patchset.
patchset {patchset.hex()}
""")

seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
box_sk = b"\xa5" * 32
sign = Ed25519PrivateKey.from_private_bytes(seed)
sign_pk = sign.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
box_pk = X25519PrivateKey.from_private_bytes(box_sk).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
kid = hashlib.blake2b(b"spoke/identity/1\0" + sign_pk + box_pk, digest_size=32).digest()[:16]
salt = b"\x5a" * 32
protected = cbor({
    1: -8,
    4: kid,
    16: "application/x-spoke-envelope",
    -70001: [b"\xa0" * 16, 1, bytes(16), 1, bytes(32), 1, (0x019A00000000 << 16) + 7, b"\xa1" * 16, bytes(32)],
})
commitment = hashlib.sha256(b"spoke/commit/1\0" + salt + changeset).digest()
payload = cbor([[commitment, len(changeset)]])
signature = sign.sign(cbor(["Signature1", protected, b"", payload]))
cose = head(6, 18) + cbor([protected, {}, payload, signature])
chain = hashlib.blake2b(b"spoke/envelope/1\0" + cose, digest_size=32).digest()
(HERE / "envelope.txt").write_text(f"""\
# Known answer, sync/FORMAT.md section 2; made by envelope.py. An envelope by the node whose secret halves (sign_sk,
# box_sk) these are: the Ed25519 key of RFC 8032 section 7.1, test 1, and a5 x 32. For this alone.
secret {(seed + sign_pk + box_sk).hex()}
# hub a0 x 16, epoch 1, base cut zeros, seq 1, prev zeros, schema 1, hlc (0x019a00000000 << 16) + 7, user a1 x 16; one
# part: the changeset of changeset.txt under this salt.
salt {salt.hex()}
cose {cose.hex()}
# What the next envelope names as the one before it.
hash {chain.hex()}
""")
