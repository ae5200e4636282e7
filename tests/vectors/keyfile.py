#!/usr/bin/env python3
"""Writes keyfile.txt: known answers for crypto/FORMAT.md §4, computed apart from our C.

BLAKE2b is hashlib's; X25519, Argon2id, Poly1305 and ChaCha20-Poly1305 those of the `cryptography` package (45 or later);
HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2) and Salsa20 (D. J. Bernstein's specification, with HSalsa20 and XSalsa20) are
written out below. Usage: python3 keyfile.py > keyfile.txt
"""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.poly1305 import Poly1305

M32 = 0xFFFFFFFF
SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & M32


def hchacha20(key, nonce16):
    s = list(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & M32
            s[z] = rotl(s[z] ^ s[x], n)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def salsa_rounds(key, in16):
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", in16)
    first = [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]
    s = list(first)

    def quarter(a, b, c, d):
        for x, y, z, r in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            s[x] ^= rotl((s[y] + s[z]) & M32, r)

    for _ in range(10):
        for i in range(4):
            quarter(*(5 * i % 16, (5 * i + 4) % 16, (5 * i + 8) % 16, (5 * i + 12) % 16))
        for i in range(4):
            quarter(*(4 * i + (i + j) % 4 for j in range(4)))
    return first, s


def hsalsa20(key, in16):
    _, s = salsa_rounds(key, in16)
    return struct.pack("<8I", *(s[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def salsa20_block(key, nonce8, counter):
    first, s = salsa_rounds(key, nonce8 + struct.pack("<Q", counter))
    return struct.pack("<16I", *((a + b) & M32 for a, b in zip(first, s)))


def secretbox(key, nonce24, plain):
    sub = hsalsa20(key, nonce24[:16])
    stream = b"".join(salsa20_block(sub, nonce24[16:], i) for i in range(2))
    cipher = bytes(a ^ b for a, b in zip(plain, stream[32:]))
    return Poly1305.generate_tag(stream[:32], cipher) + cipher


def public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def box_seal(plain, pk, ephemeral):
    epk = public(ephemeral)
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(X25519PublicKey.from_public_bytes(pk))
    nonce = hashlib.blake2b(epk + pk, digest_size=24).digest()
    return epk + secretbox(hsalsa20(shared, bytes(16)), nonce, plain)


def xchacha(key, nonce, aad, plain):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, aad)


def b2(data, key=b"", n=32):
    return hashlib.blake2b(data, key=key, digest_size=n).digest()


def made(what, n):
    """Bytes that stand for random ones."""
    return b2(what.encode(), n=n)


def slot(file_head, place, kind, opens, data_key, vouch, device):
    salt, nonce, sk = made(f"salt {place}", 16), made(f"nonce {place}", 24), made(f"slot_sk {place}", 32)
    passes, kib = (2, 64) if kind == 1 else (0, 0)
    body = struct.pack(">BBBBIII", kind, 1 if kind == 1 else 2, 1 if device else 0, 0, passes, kib, 0)
    body += salt + made(f"id {place}", 16) + public(sk)
    stretched = opens
    if kind == 1:
        stretched = Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=kib).derive(opens)
    key = b2(b"spoke/slot/2\0" + salt + device, key=stretched)
    aad = b"spoke/slot/wrap/2\0" + file_head[:24] + bytes([place]) + body
    body += nonce + xchacha(key, nonce, aad, sk + vouch)
    body += box_seal(data_key, public(sk), made(f"ephemeral {place}", 32))
    body += b2(b"spoke/slot/device/2\0" + salt, key=device, n=16) if device else bytes(16)
    return body + bytes(8)


passphrase = "correct horse, battery; stáple".encode()
device, data_key, vouch, code = made("device", 32), made("data key", 32), made("vouch key", 32), made("code", 16)

head = b"SPKK\x02\x01\0\0" + made("file id", 16) + struct.pack(">QI", 41, 7) + bytes(28)
slots = [bytes(288)] * 8
slots[2] = slot(head, 2, 1, passphrase, data_key, vouch, device)
slots[7] = slot(head, 7, 2, code, data_key, vouch, b"")
body = head + b"".join(slots)
body += b2(body, key=b2(b"spoke/keyfile/mac/2\0" + vouch, key=data_key))
body += b2(b"spoke/keyfile/sum/2\0" + body)

box_head, nonce = b"SPKB\x01\0\0\0", made("box nonce", 24)
box = box_head + nonce + xchacha(b2(b"spoke/door/1", key=device), nonce, box_head, b"the keys of a door")
text = base64.b32encode(code + b2(code)[:4]).decode()

print("passphrase", passphrase.hex())
print("data_key", data_key.hex())
print("vouch_key", vouch.hex())
print("device_secret", (b"SPKV\x01\0\0\0" + device).hex())
print("code", "-".join(text[i:i + 4] for i in range(0, 32, 4)).encode().hex())
print("device_box", box.hex())
print("key_file", body.hex())
