#!/usr/bin/env python3
"""Known answers for crypto/FORMAT.md section 6, made without any code of ours: writes merkle.txt beside this file.

The definitions of RFC 9162 sections 2.1.1, 2.1.3.1 and 2.1.4.1, written out as they stand there. That this reading of
them is right is checked against what Certificate Transparency has published since RFC 6962: the roots of its eight
leaves, and the proofs that its verifiers are tested with.
"""
import functools
import hashlib
import pathlib

LEAVES = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                     "606162636465666768696a6b6c6d6e6f")]
PUBLISHED_ROOTS = """
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
""".split()
PUBLISHED_INCLUSION = {
    (0, 1): "",
    (0, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (5, 8): "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 3): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 5): "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}
PUBLISHED_CONSISTENCY = {
    (1, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (6, 8): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 5): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    (6, 7): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
}


def sha256(data):
    return hashlib.sha256(data).digest()


def split(n):  # the largest power of two below n
    return 1 << (n - 1).bit_length() - 1


class Listed:
    """Leaves that differ, from `start` on."""

    def __init__(self, leaves, start=0, n=None):
        self.leaves, self.start, self.n = leaves, start, len(leaves) - start if n is None else n

    def part(self, start, n):
        return Listed(self.leaves, self.start + start, n)

    def only(self):
        return sha256(b"\0" + self.leaves[self.start])

    def root(self):
        return root(self)


class Same:
    """n leaves that are all alike: as many as there can be, since equal trees need be hashed once only."""

    def __init__(self, n):
        self.n = n

    def part(self, _start, n):
        return Same(n)

    def only(self):
        return sha256(b"\0same")

    def root(self):
        return Same.known(self.n)

    @staticmethod
    @functools.cache
    def known(n):
        return root(Same(n))


def root(d):  # MTH(D[n])
    if d.n == 0:
        return sha256(b"")
    if d.n == 1:
        return d.only()
    k = split(d.n)
    return sha256(b"\1" + d.part(0, k).root() + d.part(k, d.n - k).root())


def path(m, d):  # PATH(m, D[n])
    if d.n == 1:
        return []
    k = split(d.n)
    if m < k:
        return path(m, d.part(0, k)) + [d.part(k, d.n - k).root()]
    return path(m - k, d.part(k, d.n - k)) + [d.part(0, k).root()]


def subproof(m, d, whole):  # SUBPROOF(m, D[n], b)
    if m == d.n:
        return [] if whole else [d.root()]
    k = split(d.n)
    if m <= k:
        return subproof(m, d.part(0, k), whole) + [d.part(k, d.n - k).root()]
    return subproof(m - k, d.part(k, d.n - k), False) + [d.part(0, k).root()]


def joined(hashes):
    return b"".join(hashes).hex()


def edge(d):
    out, start = d.n.to_bytes(8, "big"), 0
    for level in reversed(range(63)):
        if d.n >> level & 1:
            out += d.part(start, 1 << level).root()
            start += 1 << level
    return out.hex()


def lines():
    yield "# Known answers, crypto/FORMAT.md section 6; made by merkle.py. Leaves of Certificate Transparency's tests:"
    yield "# \"\", 00, 10, 2021, 3031, 40414243, 50..57, 60..6f."
    for n, published in enumerate(PUBLISHED_ROOTS):
        assert root(Listed(LEAVES[:n])).hex() == published
        yield f"root_{n} {published}"
    for (m, n), published in PUBLISHED_INCLUSION.items():
        assert joined(path(m, Listed(LEAVES[:n]))) == published
    for (m, n), published in PUBLISHED_CONSISTENCY.items():
        assert joined(subproof(m, Listed(LEAVES[:n]), True)) == published
    yield "# Leaf m in a log of n."
    for n in range(2, 9):
        for m in range(n):
            yield f"inclusion_{m}_{n} {joined(path(m, Listed(LEAVES[:n])))}"
    yield "# From m leaves to n."
    for n in range(2, 9):
        for m in range(1, n):
            yield f"consistency_{m}_{n} {joined(subproof(m, Listed(LEAVES[:n]), True))}"
    yield "# Right edges, as they are stored."
    for n in (0, 1, 6, 7, 8):
        yield f"edge_{n} {edge(Listed(LEAVES[:n]))}"
    most = 2**63 - 1
    yield "# The largest logs, of leaves that are all \"same\"."
    for n in (2**62, 2**62 + 1, most - 1, most):
        yield f"same_root_{n} {Same(n).root().hex()}"
    for m in (0, 2**62 - 1, 2**62, 6148914691236517205, most - 1):
        yield f"same_inclusion_{m}_{most} {joined(path(m, Same(most)))}"
    for m in (1, 2**62 - 1, 2**62, 2**62 + 1, 6148914691236517205, most - 1):
        yield f"same_consistency_{m}_{most} {joined(subproof(m, Same(most), True))}"


pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines()) + "\n")
