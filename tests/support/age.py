"""age v1 read back by our own reading of its specification (https://c2sp.org/age): X25519 recipients, no armor.

The primitives are the standard library's and OpenSSL's, so nothing is shared with what the tests are about. `read` says
how far a file is good, as a reader of a stream would: test_age_vectors.py holds it to the published vectors.
"""

import base64
import hashlib
import hmac
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

CHUNK, CODE = 65536, 16
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
ARGUMENT = rb"[\x21-\x7e]+"


# --- Bech32, BIP 173 --------------------------------------------------------------------------------------------

def polymod(values):
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1ffffff) << 5 ^ value
        for bit, generator in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def expanded(prefix):
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def bech32(prefix, data):
    number = int.from_bytes(data, "big") << (-len(data) * 8 % 5)
    values = [number >> at & 31 for at in range((len(data) * 8 + 4) // 5 * 5 - 5, -1, -5)]
    check = polymod(expanded(prefix) + values + [0] * 6) ^ 1
    return prefix + "1" + "".join(LETTERS[value] for value in values + [check >> 5 * (5 - i) & 31 for i in range(6)])


def unbech32(text):
    prefix, _, letters = text.lower().rpartition("1")
    values = [LETTERS.index(letter) for letter in letters]
    assert polymod(expanded(prefix) + values) == 1
    number = sum(value << 5 * place for place, value in enumerate(reversed(values[:-6])))
    size = (len(values) - 6) * 5 // 8
    return (number >> (len(values) - 6) * 5 % 8).to_bytes(size, "big")


# --- keys -------------------------------------------------------------------------------------------------------

def hkdf(secret, salt, info):
    """RFC 5869, 32 bytes."""
    pseudorandom = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    return hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)


class Key:
    """As 'age-keygen' makes one; or of an identity."""

    def __init__(self, identity=None):
        self.private = X25519PrivateKey.from_private_bytes(unbech32(identity)) if identity else X25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.recipient = bech32("age", self.public)
        secret = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        self.identity = identity or bech32("age-secret-key-", secret).upper()

    def file(self, path):
        """What 'age -i' takes."""
        path.write_text(self.identity + "\n")
        return path


# --- the header -------------------------------------------------------------------------------------------------

class Malformed(Exception):
    """'header failure', 'no match' or 'HMAC failure'"""


def unbase64(text):
    """Without padding, and in the one way that is canonical."""
    if not re.fullmatch(rb"[A-Za-z0-9+/]*", text):
        raise Malformed("header failure")
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise Malformed("header failure") from error
    if base64.b64encode(data).rstrip(b"=") != text:
        raise Malformed("header failure")
    return data


class Lines:
    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise Malformed("header failure")
        line, self.at = self.data[self.at:end], end + 1
        return line


def read_stanza(line, lines):
    """[arguments], body: lines of 64 letters, and a shorter one at the end."""
    if not re.fullmatch(rb"-> " + ARGUMENT + rb"( " + ARGUMENT + rb")*", line):
        raise Malformed("header failure")
    body = b""
    while True:
        text = lines.next()
        if len(text) > 64:
            raise Malformed("header failure")
        body += unbase64(text)
        if len(text) < 64:
            return line[3:].split(b" "), body


def unwrap(stanza, key):
    """The file key, or None where this stanza is another's."""
    (kind, *arguments), body = stanza
    if kind != b"X25519":
        return None
    if len(arguments) != 1:
        raise Malformed("header failure")
    share = unbase64(arguments[0])
    if len(share) != 32 or len(body) != 32:
        raise Malformed("header failure")
    try:
        shared = key.private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:  # it came to zero
        raise Malformed("header failure") from error
    wrapping = hkdf(shared, share + key.public, b"age-encryption.org/v1/X25519")
    try:
        return ChaCha20Poly1305(wrapping).decrypt(bytes(12), body, None)
    except InvalidTag:
        return None


class Header:
    def __init__(self, data, keys):
        lines = Lines(data)
        if lines.next() != b"age-encryption.org/v1":
            raise Malformed("header failure")
        self.stanzas = []
        while not (line := lines.next()).startswith(b"---"):
            self.stanzas.append(read_stanza(line, lines))
        if not self.stanzas or not line.startswith(b"--- "):
            raise Malformed("header failure")
        code = unbase64(line[4:])
        if len(code) != 32:
            raise Malformed("header failure")
        self.file_key = next((found for stanza in self.stanzas for key in keys if (found := unwrap(stanza, key))), None)
        if self.file_key is None:
            raise Malformed("no match")
        covered = data[:lines.at - len(line) - 1 + 3]
        if hmac.digest(hkdf(self.file_key, None, b"header"), covered, hashlib.sha256) != code:
            raise Malformed("HMAC failure")
        self.size = lines.at
        nonce = data[lines.at:lines.at + 16]
        if len(nonce) < 16:
            raise Malformed("header failure")
        self.payload_key = hkdf(self.file_key, nonce, b"payload")
        self.payload_at = lines.at + 16


# --- the payload ------------------------------------------------------------------------------------------------

def read_chunks(key, data):
    """[plain chunk], and whether the last of them says that it is the last, and nothing follows."""
    cipher, chunks, at = ChaCha20Poly1305(key), [], 0
    while at < len(data):
        sealed = data[at:at + CHUNK + CODE]
        at += len(sealed)
        for last in (0, 1):
            try:
                plain = cipher.decrypt(len(chunks).to_bytes(11, "big") + bytes([last]), sealed, None)
            except InvalidTag:
                continue
            if last and not plain and chunks:
                return chunks, False
            if not last and len(plain) < CHUNK:
                return chunks, False
            chunks.append(plain)
            if last:
                return chunks, at == len(data)
            break
        else:
            return chunks, False
    return chunks, False


def read(data, *keys):
    """What is good of an age file, and 'success' or what is wrong with it."""
    try:
        header = Header(data, keys)
    except Malformed as error:
        return b"", str(error)
    chunks, ended = read_chunks(header.payload_key, data[header.payload_at:])
    return b"".join(chunks), "success" if ended else "payload failure"


def opened(data, key):
    """The plain bytes of a file that is whole."""
    plain, verdict = read(data, key)
    assert verdict == "success", verdict
    return plain
