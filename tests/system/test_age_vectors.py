"""The tests' own reading of age's format, by the published vectors (https://c2sp.org/CCTV/age, testdata/): what test_encrypt.py
trusts has to be right itself. Those of armor, passphrases and post-quantum keys are left out: tarcap writes none."""

import hashlib
import zlib
from pathlib import Path

import pytest

import age

VECTORS = sorted((Path(age.__file__).parent / "age_vectors").iterdir())


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_published_vector(path):
    head, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if not line.startswith("identity"))
    keys = [age.Key(line.partition(": ")[2]) for line in head.decode().splitlines() if line.startswith("identity")]
    if fields.get("compressed") == "zlib":
        data = zlib.decompress(data)
    plain, verdict = age.read(data, *keys)
    assert verdict == fields["expect"]
    if "payload" in fields:
        assert hashlib.sha256(plain).hexdigest() == fields["payload"]
    if verdict == "success":
        assert age.Header(data, keys).file_key.hex() == fields["file key"]


def test_there_are_vectors():
    assert len(VECTORS) > 60


def test_keys_are_written_as_they_are_read():
    identity = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
    key = age.Key(identity)
    assert key.recipient == "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"
    made = age.Key()
    assert age.Key(made.identity).recipient == made.recipient
