"""Traffic with nothing wrong in it: tarcap summary does not say that there is."""

import contextlib
import os
import socket
import threading
import time

import pytest

import healthy
from capture import Capture
from summary import page, summary
from talk import address
from wire import Wire, in_namespace

FILES = healthy.scenes()


def wrong(data):
    return [finding["sentence"] for finding in summary(data)["findings"] if finding["severity"] != "note"]


@pytest.mark.parametrize("name", list(FILES))
def test_scene(name):
    assert wrong(FILES[name]) == []


def test_there_are_50_scenes():
    assert len(FILES) >= 50


def test_a_page_says_so():
    assert "Nothing unusual" in page(FILES["keep_alive-4"])


# --- real sockets -------------------------------------------------------------------------------------------------

class Hosts:
    """Two hosts on a wire that has GSO; a server's connection is handled by what a test gives."""

    def __init__(self, version):
        self.wire, self.family = Wire(ipv6=True), socket.AF_INET if version == 4 else socket.AF_INET6
        for name, interface, number in ((self.wire.a, "tc1", 1), (self.wire.b, "tc0", 2)):
            self.wire.ip(name, "link", "set", interface, "arp", "on")
            self.wire.ip(name, "address", "add", address(version, number) + ("/24" if version == 4 else "/64"), "dev", interface,
                         *(["nodad"] if version == 6 else []))
        self.server = address(version, 2)

    def play(self, serve, use, clients=1):
        listening = in_namespace(self.wire.b, lambda: socket.create_server((self.server, 80), family=self.family, backlog=64))
        capture = Capture(self.wire)

        def work():
            for _ in range(clients):
                peer, _ = listening.accept()
                with peer, contextlib.suppress(ConnectionError):
                    serve(peer)
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(clients):
            client = in_namespace(self.wire.a, lambda: socket.socket(self.family))
            with client:
                client.connect((self.server, 80))
                use(client)
        thread.join()
        listening.close()
        return capture.end().whole().data


@pytest.fixture(params=[4, 6])
def hosts(request):
    made = Hosts(request.param)
    yield made
    made.wire.close()


def drain(sock):
    while sock.recv(1 << 20):
        pass


def test_downloads(hosts):
    assert wrong(hosts.play(lambda peer: peer.sendall(os.urandom(8 << 20)), drain, clients=3)) == []


def test_many_short_ones(hosts):
    def serve(peer):
        peer.recv(100)
        peer.sendall(b"ok")

    def use(client):
        client.sendall(b"GET")
        drain(client)
    assert wrong(hosts.play(serve, use, clients=100)) == []


def test_half_closed_and_pauses(hosts):
    def serve(peer):
        drain(peer)
        for _ in range(4):
            time.sleep(0.2)
            peer.sendall(b"x" * 3000)

    def use(client):
        client.sendall(b"GET")
        client.shutdown(socket.SHUT_WR)
        drain(client)
    assert wrong(hosts.play(serve, use)) == []
