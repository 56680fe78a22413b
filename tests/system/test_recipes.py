"""The recipes: each of their tshark commands on a capture that has the answer, and their filters side by side."""

import os
import re
import shlex
import socket
import subprocess
import threading

import pytest
import yaml

import incidents
import traffic
from archive import Archive, Pcap
from capture import Capture, run
from engine import docker
from process import OWN, TARCAP, TOP, kill_all_started, wait_until
from wire import Wire, in_namespace, udp

README = (TOP / "README.md").read_text()
STARTING = (TOP / "src/doc/starting.md").read_text()
RECIPES = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n## |\Z)", (TOP / "src/doc/recipes.md").read_text(), re.M | re.S))
LEAVES, RESET, DNS, AGAIN, LARGE, IDLE, READER, MESH, BOTH, FIRST, HOUR = RECIPES


def commands(recipe, start):
    return [re.sub(r"\s+# .*", "", line.strip()) for line in RECIPES[recipe].splitlines()
            if line.startswith(f"    {start}")]


def capture_words(recipe):
    """What stands behind the image's name, and behind the plugin's pod, in the form of tarcap's own words."""
    [by_docker] = commands(recipe, "docker run --rm -i")
    [by_plugin] = commands(recipe, "kubectl tarcap")
    words = shlex.split(re.sub(r" > \S+$", "", by_docker))
    ours, plugins = words[words.index("tarcap") + 1:], shlex.split(by_plugin)[2:]
    return ours, [word for word in plugins if word not in ("web", "client", "-o", ".", "--")]


def tarcap_command(wire, *words):
    return shlex.join(["nsenter", f"--net=/run/netns/{wire.b}", str(TARCAP), "-i", "tc0", *words])


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """web.pcap and client.pcap of the same traffic, as both ends of the wire saw it; local.pcap of the loopback."""
    made, path = Wire(), tmp_path_factory.mktemp("recipes")
    try:
        scene = traffic.Scene(made)
        captures = {"web": Capture(made),
                    "client": Capture(made, namespace=made.a, interface="tc1"),
                    "local": Capture(made, *capture_words(MESH)[0])}
        scene.play()
        for name, capture in captures.items():
            joined = run("join", stdin=capture.end().whole().data)
            assert joined.status == 0
            (path / f"{name}.pcap").write_bytes(joined.out)
        scene.close()
        yield path
    finally:
        kill_all_started()
        made.close()


def answer(recipe, directory, number=0, start="tshark"):
    """What a recipe's tshark command prints, row by row."""
    command = commands(recipe, start)[number]
    path = f"{os.path.dirname(TARCAP)}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=directory, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, env=os.environ | {"PATH": path})
    said = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
    assert done.returncode == 0 and said == [], (command, said)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_recipes_are_complete():
    assert len(RECIPES) == 11
    assert sum(len(commands(recipe, "tshark")) for recipe in RECIPES) == 15
    for recipe in RECIPES:
        assert commands(recipe, "docker "), recipe
        assert commands(recipe, "kubectl tarcap") or "k8s/sidecar.yaml" in RECIPES[recipe], recipe


@pytest.mark.parametrize("recipe", [LEAVES, RESET, DNS, AGAIN, LARGE, IDLE, READER, MESH, BOTH, HOUR])
def test_docker_and_kubectl_capture_the_same(recipe):
    ours, plugins = capture_words(recipe)
    assert " ".join(ours) == " ".join(plugins) != ""
    assert run("--help", *ours).status == 0


@pytest.mark.parametrize("recipe, file", [(LEAVES, "web"), (RESET, "web"), (DNS, "web"), (AGAIN, "web"), (LARGE, "web"), (IDLE, "web"),
                                          (READER, "web"), (MESH, "local"), (BOTH, "web")])
def test_filters_of_both_kinds_select_the_same(directory, recipe, file):
    words = [word for word in capture_words(recipe)[0] if word not in ("-i", "lo", "--headers")]
    [shown] = re.findall(r"In\s+Wireshark:\s+`([^`]+)`", RECIPES[recipe])
    path = directory / f"{file}.pcap"
    out = subprocess.run(["tshark", "-r", path, "-Y", shown, "-T", "fields", "-e", "frame.time_epoch"], text=True,
                         capture_output=True, timeout=60, check=True).stdout.split()
    captured = run("-r", path, *words).whole().records
    everything = len(Pcap("", path.read_bytes()).records)
    assert [f"{record.time // 10**9}.{record.time % 10**9:09}" for record in captured] == out
    assert 0 < len(out) and (len(out) < everything or recipe == MESH)


def test_does_the_request_leave_the_pod(directory):
    rows = answer(LEAVES, directory)
    asked = [row for row in rows if row[2] == traffic.NOBODY]
    assert len(asked) == 2 and 0.9 < float(asked[1][0]) - float(asked[0][0]) < 1.2  # sent again, after 1 s
    assert all(row[1] == traffic.SERVER and row[4].strip("·") == "S" for row in asked)
    assert not any(row[1] == traffic.NOBODY for row in rows)
    assert "A··S" in RECIPES[LEAVES] and any("A··S" in row[4] for row in rows if row[1] == traffic.SERVER)


def test_who_sends_the_reset(directory):
    rows = answer(RESET, directory)
    assert sorted(row[0] for row in rows) == [traffic.CLIENT, traffic.SERVER]
    [refused] = [row for row in rows if row[0] == traffic.SERVER]
    assert (refused[1], refused[4], refused[5]) == ("81", "64", "1")
    [broken_off] = [row for row in rows if row[0] == traffic.CLIENT]
    assert broken_off[3] == "80" and int(broken_off[5]) > 1


def test_is_dns_slow(directory):
    rows = answer(DNS, directory)
    assert rows[0][1:] == ["0", "slow.example"] and float(rows[0][0]) >= traffic.SLOW
    assert {(row[2], row[1]) for row in rows} == {
        (name, str(code[0])) for name, code in traffic.NAMES.items() if code}
    assert all(float(row[0]) < 0.3 for row in rows[1:])
    [silent] = answer(DNS, directory, 1)
    assert silent[1] == "silent.example"


def of_incident(recipe, name, tmp_path, number=0):
    """What a recipe's command says of an incident."""
    (tmp_path / "web.pcap").write_bytes(incidents.made(name, 4).pcap())
    return answer(recipe, tmp_path, number)


def test_why_segments_are_sent_again(tmp_path):
    [[counted, port, to, _]] = of_incident(AGAIN, "lost_before_us", tmp_path)
    assert counted.split() == ["16", "10.9.0.2"] and (port, to) == ("80", "10.9.0.1")
    lost = answer(AGAIN, tmp_path, 1)
    assert len(lost) == 16 and {row[1] for row in lost} == {"10.9.0.2"}
    [[counted, *_]] = of_incident(AGAIN, "lost_behind_us", tmp_path)
    assert int(counted.split()[0]) > 5 and answer(AGAIN, tmp_path, 1) == []


def test_large_packets(tmp_path):
    [[counted, to, length, _]] = of_incident(LARGE, "too_big_in_vain", tmp_path)
    assert counted.split() == ["5", "10.9.0.2"] and (to, length) == ("10.9.0.1", "1448")
    assert answer(LARGE, tmp_path, 1) == [["1400"]] * 5


def test_who_closes_the_idle_connection(tmp_path):
    rows = of_incident(IDLE, "keep_alive_race", tmp_path)
    assert len(rows) == 6 and {row[2] for row in rows} == {"10.9.0.2"}
    for fin, end in zip(rows[::2], rows[1::2]):
        assert float(fin[1]) > 59.9 and "F" in fin[4] and "R" in end[4] and fin[0] == end[0]


def test_the_reader_is_too_slow(tmp_path):
    rows = of_incident(READER, "reader_sleeps", tmp_path)
    assert len(rows) == 15 and {row[1] for row in rows} == {"10.9.0.1"}


def test_watch_live_as_text_and_what_tshark_finds_odd(wire):
    """README's two rows, on a capture that ends by itself."""
    rows = re.findall(r"\| `tarcap --raw \\\| ((?:tcpdump|tshark) .*?)` \|", README)
    assert rows == ["tcpdump -nlr -", "tshark -r - -q -z expert"]
    program = tarcap_command(wire, "--raw", "-c", "3")
    for row, said in zip(rows, ("10.9.0.1.4000 > 10.9.0.2.53: ", "DNS query retransmission")):
        with subprocess.Popen(["bash", "-c", f"set -o pipefail; {program} | {row}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            for line in running.stderr:
                if "listening on" in line:
                    break
            wire.send(udp(number, 53) for number in range(3))
            out, _ = running.communicate(timeout=60)
        assert running.returncode == 0 and said in out, out


def test_what_goes_over_loopback(directory):
    (directory / "mesh").mkdir()
    (directory / "mesh/web.pcap").symlink_to(directory / "local.pcap")
    assert answer(MESH, directory / "mesh") == [["0", "GET", "/local", ""], ["0", "", "", "404"]]


def test_both_ends(directory):
    """Nothing was lost between them, until one packet is taken out of one of the files."""
    for name in ("web", "client"):
        if not (directory / f"{name}.tar").exists():
            (directory / f"{name}.tar").symlink_to(directory / f"{name}.pcap")
    assert "summary of 2 captures together" in answer(BOTH, directory, start="tarcap summary")[0]
    answer(BOTH, directory, start="tarcap join")
    assert answer(BOTH, directory) == []
    fields = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.seq_raw", "tcp.len", "frame.number"]
    out = subprocess.run(["tshark", "-r", "web.pcap", "-Y", "http.request.uri == \"/missing\"", "-T", "fields",
                          *(word for field in fields for word in ("-e", field))], text=True, cwd=directory,
                         capture_output=True, timeout=60, check=True).stdout
    [*row, number] = out.split()
    lost = directory / "lost"
    lost.mkdir()
    (lost / "client.tar").symlink_to(directory / "client.pcap")
    subprocess.run(["editcap", "-F", "pcap", directory / "web.pcap", lost / "web.tar", number], check=True, timeout=60)
    answer(BOTH, lost, start="tarcap join")
    assert answer(BOTH, lost) == [row]


def test_first_packets(directory):
    rows = answer(FIRST, directory)
    assert len(rows) == 10


def test_an_hour(directory):
    """Bytes per minute and per connection, as the frames were on the wire."""
    short = directory / "short"
    short.mkdir()
    archive = run("--headers", "-r", directory / "web.pcap").whole()
    (short / "web.pcap").write_bytes(run("join", stdin=archive.data).out)
    records = archive.records
    total = sum(record.length for record in records)
    assert sum(record.caplen for record in records) < total
    statistics = "\n".join("\t".join(row) for row in answer(HOUR, short))
    [(packets, length)] = re.findall(r"<>[^|]*\| +(\d+) \| +(\d+) \|", statistics)
    assert (int(packets), int(length)) == (len(records), total)
    conversations = "\n".join("\t".join(row) for row in answer(HOUR, short, 1))
    assert re.search(rf"{traffic.SERVER}:\d+ +<-> {traffic.NOBODY}:8080 +0 0 bytes +2 148 bytes", conversations)


def test_an_hour_takes_1_percent(wire):
    """A download in frames of 1514 bytes: what is stored is less than 1 % of what passed."""
    size = 60 << 20  # so that the context, which does not grow, counts as little as in an hour
    wire.addresses()
    # The kernel cuts it into frames before the wire, not behind it.
    wire.ip(wire.a, "link", "set", "tc1", "gso_max_segs", "1")
    server = in_namespace(wire.b, lambda: socket.create_server((traffic.SERVER, 80)))

    def take():
        peer, _ = server.accept()
        with peer:
            while peer.recv(1 << 20):
                pass
    taking = threading.Thread(target=take)
    taking.start()
    words = [word for word in capture_words(HOUR)[0] if word not in ("--duration", "1h")]
    capture = Capture(wire, *words)
    with in_namespace(wire.a, lambda: socket.create_connection((traffic.SERVER, 80))) as sock:
        sock.sendall(os.urandom(size))
    taking.join()
    server.close()
    result = capture.end()
    records = result.whole().records
    assert max(record.length for record in records) == 1514
    passed = sum(record.length for record in records)
    assert passed > size and len(result.out) < passed / 100


# --- in containers ----------------------------------------------------------------------------------------------

def test_before_the_first_packet(containers):  # noqa: F811
    """The container that holds has the network; whoever joins it is captured from its first packet on."""
    hold, web = containers.name(), containers.name()
    assert commands(FIRST, "docker ") == [
        "docker run -d --name cap tarcap hold", "docker exec -i cap tarcap > web.tar",
        "docker run -d --name web --network container:cap your-web:1.0"]
    docker("run", "-d", "--name", hold, "tarcap", "hold")
    out, err = containers.directory / "web.tar", containers.directory / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        capture = subprocess.Popen(["docker", "exec", "-i", hold, "tarcap", "-c", "3"], stdin=subprocess.PIPE,
                                   stdout=stdout, stderr=stderr)
    try:
        wait_until(lambda: "listening on" in err.read_text(), 20, "'listening on'")
        docker("run", "-d", "--name", web, "--network", f"container:{hold}", "tarcap-web")
        wait_until(lambda: "serving" in docker("logs", web).stdout, 10, "a web server")
        containers.get(docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", hold).stdout.strip(), 1)
        assert capture.wait(20) == 0
    finally:
        capture.stdin.close()
        capture.kill()
        capture.wait()
    archive = Archive(out.read_bytes()).check()
    assert archive.manifest["totals"]["packets"] == 3


def test_compose_file(containers, tmp_path):  # noqa: F811
    """The page's, with the web server of the demo in it, by docker-compose."""
    subprocess.run(["image/need", "docker-compose"], cwd=TOP, check=True, timeout=300)
    [text] = re.findall(r"```yaml\n(services:.*?)```", STARTING, re.S)
    compose = yaml.safe_load(text)
    compose["services"]["web"]["image"] = "tarcap-web"
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(compose))
    [line] = re.findall(r"^    docker compose (exec .*?) > web.tar", STARTING, re.M)
    words = shlex.split(line)
    where = ["docker-compose", "-p", f"tarcap-test-{OWN}", "-f", str(tmp_path / "compose.yaml")]

    def call(*arguments, check=True, **more):
        return subprocess.run([*where, *arguments], capture_output=True, timeout=120, check=check, **more)
    try:
        call("up", "-d")
        web = call("ps", "-q", "web").stdout.decode().strip()
        # The words of the page, and an end that needs no terminal.
        assert words[:4] == ["exec", "-T", "tarcap", "tarcap"]
        capture = subprocess.Popen([*where, *words[:4], "-c", "3", *words[4:]], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            for line in capture.stderr:
                if b"listening on" in line:
                    break
            network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            address = docker("inspect", "--format", network, web).stdout.strip()
            name, project = containers.name(), where[2]
            docker("run", "--rm", "--name", name, "--network", f"{project}_default", "tarcap-web", "get", address, 1)
            out, _ = capture.communicate(timeout=20)
        finally:
            capture.kill()
            capture.wait()
        assert capture.returncode == 0
        assert Archive(out).check().manifest["totals"]["packets"] == 3
    finally:
        call("down", "-t", "1", check=False)


def shape(line):
    """A line without what differs from run to run: numbers, and the container's name."""
    return re.sub(r"\d+", "N", re.sub(r"\b[0-9a-f]{12}\b", "HOST", line)).split()


def test_first_screen_is_what_happens(containers):  # noqa: F811
    """README's first example, line by line; there may be more members in the archive than it shows."""
    block = [line[4:] for line in README.partition("\n## ")[0].splitlines() if line.startswith("    ")]
    command, *shown = [line for line in block if line and line != "^D"]
    listing, reading = (next(at for at, line in enumerate(shown) if line.startswith(start))
                        for start in ("$ tar tvf", "$ tar xOf"))
    name, address = containers.web()
    assert command == "docker run --rm -i --log-driver none --network container:web tarcap > web.tar"
    capture = containers.capture(directory=containers.directory, network=f"container:{name}")
    capture.await_listening()
    containers.get(address, 10)
    capture.past_grace()
    capture.process.stdin.close()
    assert capture.process.wait(20) == 0
    assert list(map(shape, capture.said())) == list(map(shape, shown[:listing]))

    def typed(line):
        done = subprocess.run(["sh", "-c", line[2:].replace("web.tar", str(capture.out))], capture_output=True,
                              text=True, timeout=60)
        return [shape(line) for line in (done.stderr + done.stdout).splitlines()]
    members = typed(shown[listing])
    for row in (shape(line) for line in shown[listing + 1:reading] if line != "..."):
        assert row in members
    assert typed(shown[reading]) == list(map(shape, shown[reading + 1:]))
