"""Packets that everybody knows who knows the seed and their number.

Run as a program, it sends them and says how many: random_packets.py NAMESPACE SEED MILLISECONDS
"""

import random
import sys
import time

from wire import raw_socket, udp

PORTS = (5000, 5001, 5002)


def packet(seed, number):
    """(its bytes, its port): the same for everybody who knows the seed and its number."""
    chance = random.Random(seed * 1_000_003 + number)
    port = chance.choice(PORTS)
    size = chance.choice((60, 60, 60, 100, 300, 600, 1400, 1514, chance.randrange(60, 1515)))
    return udp(number, port, size), port


def generate(namespace, seed, milliseconds):
    """Packets in bursts with pauses, for so long; then says how many."""
    chance, sock, number = random.Random(seed), raw_socket(namespace, "tc1"), 0
    end = time.monotonic() + milliseconds / 1000
    while time.monotonic() < end:
        for _ in range(chance.choice((1, 3, 50, 1000, 5000))):
            sock.send(packet(seed, number)[0])
            number += 1
        time.sleep(chance.choice((0, 0, 0.001, 0.02, 0.15)))
    print(number)


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
