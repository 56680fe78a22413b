"""Frames with payload: what shrinks when it is compressed, and what does not.

Run as a program, it sends them: payload.py NAMESPACE COUNT PER_SECOND KIND
"""

import json
import random
import struct
import sys
import time

from process import start_process
from wire import MAC_A, MAC_B, Flood, raw_socket


def http(number, chance):
    """A frame like those of an HTTP service that speaks JSON."""
    body = {"id": chance.randrange(10**9), "trace": f"{chance.getrandbits(128):032x}", "status": "active",
            "items": [{"sku": chance.randrange(10**6), "price": round(chance.uniform(1, 999), 2), "in_stock": True}
                      for _ in range(chance.randrange(1, 20))]}
    text = json.dumps(body)
    return with_number(number, f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{text}".encode())


def noise(number, chance, size=60_000):
    return with_number(number, chance.randbytes(size))


def with_number(number, payload):
    return MAC_B + MAC_A + b"\x88\xb5" + struct.pack("!I", number) + payload


def generate(namespace, count, per_second, kind):
    chance, sock, start = random.Random(1), raw_socket(namespace, "tc1"), time.monotonic()
    texts = [http(0, chance)[18:1500] for _ in range(500)]
    for number in range(count):
        sock.send(with_number(number, texts[number % 500] if kind == "http" else chance.randbytes(1400)))
        if number % 100 == 99:
            time.sleep(max(0, start + number / per_second - time.monotonic()))


class Traffic(Flood):
    def __init__(self, wire, count, per_second, kind="http"):
        self.process = start_process([sys.executable, __file__, wire.a, str(count), str(per_second), kind])


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
