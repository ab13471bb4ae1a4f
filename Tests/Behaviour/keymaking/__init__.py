"""Keys of clients that encrypt, signed as they sign them: Ed25519 over canonical JSON, without any library.

The arithmetic is that of RFC 8032, section 5.1, in affine coordinates: slow, and enough for tests.
"""

import base64
import hashlib
import json
import secrets

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _add(a, b):
    """Adds two points in extended coordinates."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    k, l, m, n = f - e, h - g, h + g, f + e
    return k * l % P, m * n % P, l * m % P, k * n % P


def _times(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _add(result, point)
        point, factor = _add(point, point), factor >> 1
    return result


def _base():
    y = 4 * pow(5, P - 2, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return x, y, 1, x * y % P


BASE = _base()


def _compressed(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def unpadded(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    """An Ed25519 key."""

    def __init__(self, seed=None):
        digest = hashlib.sha512(seed or secrets.token_bytes(32)).digest()
        self.prefix = digest[32:]
        self.scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
        self.public_bytes = _compressed(_times(self.scalar, BASE))
        self.public = unpadded(self.public_bytes)

    def signature(self, message):
        nonce = _hash(self.prefix, message)
        point = _compressed(_times(nonce, BASE))
        answer = (nonce + _hash(point, self.public_bytes, message) * self.scalar) % ORDER
        return unpadded(point + answer.to_bytes(32, "little"))

    def sign(self, value, user, name=None):
        """Adds this key's signature to an object, in place; answers the object. The key's name is its public part unless given."""
        bare = {key: part for key, part in value.items() if key not in ("signatures", "unsigned")}
        signature = self.signature(canonical(bare))
        value.setdefault("signatures", {}).setdefault(user, {})[f"ed25519:{name or self.public}"] = signature
        return value


class Device:
    """The keys of one device."""

    def __init__(self, user, device):
        self.user, self.device, self.key = user, device, Key()
        self.made = 0

    def identity(self):
        keys = {f"ed25519:{self.device}": self.key.public, f"curve25519:{self.device}": unpadded(secrets.token_bytes(32))}
        algorithms = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]
        value = {"user_id": self.user, "device_id": self.device, "algorithms": algorithms, "keys": keys}
        self.identity_keys = self.key.sign(value, self.user, self.device)
        return self.identity_keys

    def one_time(self, count, prefix="K"):
        """Makes one-time keys; their names rise in the order in which they are made."""
        keys = {}
        for _ in range(count):
            self.made += 1
            # The signature is not looked at by the server.
            value = {"key": unpadded(secrets.token_bytes(32)), "signatures": {self.user: {f"ed25519:{self.device}": "c2ln"}}}
            keys[f"signed_curve25519:{prefix}{self.made:05}"] = value
        return keys

    def fallback(self, name="F1"):
        return {f"signed_curve25519:{name}": {**next(iter(self.one_time(1).values())), "fallback": True}}


class CrossSigning:
    """The three keys of one user."""

    def __init__(self, user):
        self.user = user
        self.master, self.self_signing, self.user_signing = Key(), Key(), Key()

    def _key(self, key, usage):
        return {"user_id": self.user, "usage": [usage], "keys": {f"ed25519:{key.public}": key.public}}

    def upload(self):
        master = self._key(self.master, "master")
        return {
            "master_key": master,
            "self_signing_key": self.master.sign(self._key(self.self_signing, "self_signing"), self.user),
            "user_signing_key": self.master.sign(self._key(self.user_signing, "user_signing"), self.user),
        }
