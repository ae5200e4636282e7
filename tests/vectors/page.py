#!/usr/bin/env python3
"""Writes page.txt: known answers for crypto/FORMAT.md §5, computed apart from our C.

BLAKE2b is hashlib's, ChaCha20-Poly1305 that of the `cryptography` package; HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2)
and SipHash-2-4 are written out below. Usage: python3 page.py > page.txt
"""
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEY = bytes(range(32))


def sub(label, n, file=b""):  # file: the number's 3 bytes, nothing for number 0
    return hashlib.blake2b(label.encode() + file, key=KEY, digest_size=n).digest()


def rotl(x, n, bits):
    return ((x << n) | (x >> (bits - n))) & ((1 << bits) - 1)


def hchacha20(key, nonce16):
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce16))

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] = rotl(s[z] ^ s[x], n, 32)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def seal(key, nonce, aad, plain):
    out = ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, aad)
    return out[:-16] + nonce + out[-16:]


def siphash(key, data):
    k0, k1 = struct.unpack("<2Q", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    m64 = (1 << 64) - 1

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & m64; v[1] = rotl(v[1], 13, 64) ^ v[0]; v[0] = rotl(v[0], 32, 64)
            v[2] = (v[2] + v[3]) & m64; v[3] = rotl(v[3], 16, 64) ^ v[2]
            v[0] = (v[0] + v[3]) & m64; v[3] = rotl(v[3], 21, 64) ^ v[0]
            v[2] = (v[2] + v[1]) & m64; v[1] = rotl(v[1], 17, 64) ^ v[2]; v[2] = rotl(v[2], 32, 64)

    data += bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for (m,) in struct.iter_unpack("<Q", data):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 255
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def mask(offset, head16, words):
    keys = sub("spoke/sum/1", 64)
    left, right = words[:4], words[4:]
    for r in range(4):
        key = keys[16 * r:16 * r + 16]
        tail = struct.pack(">Q", offset) + head16
        if r % 2 == 0:
            left = bytes(a ^ b for a, b in zip(left, siphash(key, right + tail)))
        else:
            right = bytes(a ^ b for a, b in zip(right, siphash(key, left + tail)))
    return left + right


plain = bytes((7 * i + 3) % 256 for i in range(4056))
page1 = b"SQLite format 3\0" + plain[16:]
nonce = bytes(range(100, 124))
file_id = sub("spoke/file/1", 16)
prefix = b"SPK1\x01\0\0\0" + sub("spoke/check/1", 16)[:8]
head = struct.pack(">II", 5, 9) + b"saltsalt"

print("data_key", KEY.hex())
print("prefix", prefix.hex())
print("db_page_1", (prefix + seal(sub("spoke/page/1", 32), nonce, b"D" + file_id + struct.pack(">I", 1), page1[16:])).hex())
print("db_page_2", seal(sub("spoke/page/1", 32), nonce, b"D" + file_id + struct.pack(">I", 2), plain).hex())
print("wal_frame", seal(sub("spoke/wal/1", 32), nonce, b"W" + file_id + head + struct.pack(">Q", 4152), plain).hex())
other = bytes([1, 2, 3])
file_prefix = b"SPK1\x01" + other + sub("spoke/check/1", 16, other)[:8]
file_aad = b"D" + sub("spoke/file/1", 16, other) + struct.pack(">I", 1)
print("file_66051_page_1", (file_prefix + seal(sub("spoke/page/1", 32, other), nonce, file_aad, page1[16:])).hex())
print("masked", mask(4152, head, b"checksum").hex())
