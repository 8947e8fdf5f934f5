"""Floods of peers that are not admitted, each kind: honest clients succeed, live connections keep their latency,
and soon after the flood all is as before."""
import concurrent.futures
import contextlib
import socket
import statistics
import threading
import time

import pytest

from harness import RELEASE, Admin, Machine, SlowTpm, ask, connect, open_descriptors, resident_kib, wait_until

ATTEST = {"attest": True, "require_attestation": True}
FLOODERS_ADDRESS = "127.0.0.2"


def reasons(atlsd):
    return [line["reason"] for line in atlsd.connections() if "reason" in line]


@pytest.fixture(scope="module")
def flooder(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("flooder"))
    yield machine
    machine.stop()


def client_hello(p, **changed):
    """The first bytes that an egress like the pair's sends to its peer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        with p.another_egress(target, **changed) as port, connect(port):
            connection, _ = server.accept()
            with connection:
                return connection.recv(1 << 14)


class Flood:
    """Connections from another address at a rate, each with the same bytes; closed at once, or held."""

    def __init__(self, port, data, per_second, hold=False, source=FLOODERS_ADDRESS):
        self.port, self.data, self.hold, self.source = port, data, hold, source
        self.pause = 1 / per_second
        self.sent = 0
        self.held = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                s = socket.create_connection(("127.0.0.1", self.port), 5, (self.source, 0))
                s.sendall(self.data)
                self.sent += 1
                if self.hold:
                    self.held.append(s)
                else:
                    s.close()
            due += self.pause
            time.sleep(max(0, due - time.monotonic()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for s in self.held:
            s.close()


class Live:
    """A connection that is there already, through some programs: the median of its round trips. Each is as long as on
    the clock, or as what the programs did meanwhile took, if that is less: where others want all of the machine, the
    scheduler has a program wait, and that is not the flood's doing."""

    def __init__(self, port, programs):
        self.clocks = [time.monotonic] + [one.cpu_seconds for one in programs]
        self.socket = connect(port)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.round_trip()

    def round_trip(self):
        started = [clock() for clock in self.clocks]
        self.socket.sendall(b"x" * 64)
        got = 0
        while got < 64:
            got += len(self.socket.recv(64))
        passed, *spent = (clock() - s for clock, s in zip(self.clocks, started))
        return min(passed, sum(spent))

    def median(self, seconds):
        times = []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            times.append(self.round_trip())
            time.sleep(0.002)
        return statistics.median(times)


def honest_clients(port, count, timeout=15):
    """How many of some clients, one after the other, are served."""
    return sum(ask(port, timeout=timeout) == b"hello" for _ in range(count))


def withstands(p, flood, honest=20, seconds=3.0):
    """The promise of this file."""
    live = Live(p.egress_port, (p.egress, p.ingress))
    at_rest = live.median(1.0)
    with flood:
        wait_until("the flood", lambda: flood.sent > 20)
        served = []
        clients = threading.Thread(target=lambda: served.append(honest_clients(p.egress_port, honest)))
        clients.start()
        in_the_flood = live.median(seconds)
        clients.join()
    ended = time.monotonic()
    assert ask(p.egress_port) == b"hello"
    recovered = time.monotonic() - ended
    print(f"{flood.sent} connections; honest {served[0]} of {honest}; live {at_rest * 1e3:.2f} ms at rest, "
          f"{in_the_flood * 1e3:.2f} ms in the flood; recovered in {recovered:.2f} s")
    assert served[0] == honest
    assert in_the_flood <= 2 * at_rest + 0.001
    assert recovered < 2
    live.socket.close()


def test_silent_connections(pair):
    """120 of them against `max_connections: 100` once shut everybody out."""
    p = pair(ingress={"max_connections": 100}, ingress_tunnel={**ATTEST, "max_connections": 100},
             egress={"max_connections": 0}, binaries=RELEASE / "bin")
    withstands(p, Flood(p.ingress_port, b"", 200, hold=True))


def test_a_silent_connection_costs_little(pair, tmp_path):
    """No SSL object, no buffer, before its first byte: at most 4 KiB."""
    count = 3000
    p = pair(ingress={"half_open": {"per_source": 10000, "max": 10000},
                      "admin": {"listen": f"unix:{tmp_path}/admin.sock"}}, binaries=RELEASE / "bin")
    assert ask(p.egress_port) == b"hello"
    before = resident_kib(p.ingress)
    with contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(connect(p.ingress_port))
        wait_until("all to be accepted", lambda: open_descriptors(p.ingress) >= count)
        each = (resident_kib(p.ingress) - before) / count
        assert Admin(tmp_path / "admin.sock").metric("atlsd_half_open_connections") == count
    print(f"{each:.2f} KiB each")
    assert each <= 4


def test_connections_that_stop_after_their_hello(pair, flooder):
    """They hold all handshakes that may be under way; whoever waits for its peer gives way."""
    p = pair(ingress={"half_open": {"handshakes": 8}}, binaries=RELEASE / "bin")
    hello = client_hello(p, identity=flooder.identity())
    live = Live(p.egress_port, (p.egress, p.ingress))
    with Flood(p.ingress_port, hello, 20, hold=True) as flood:
        wait_until("the places to be taken", lambda: flood.sent > 16)
        assert honest_clients(p.egress_port, 5) == 5
    assert "half_open_shed" in reasons(p.ingress)
    live.socket.close()


def test_a_source_that_has_its_share_harms_itself_only(pair):
    p = pair(ingress={"half_open": {"per_source": 20}}, binaries=RELEASE / "bin")
    with Flood(p.ingress_port, b"", 200, hold=True) as flood:
        wait_until("the share to be used", lambda: "source_quota" in reasons(p.ingress))
        assert honest_clients(p.egress_port, 10) == 10
        assert flood.sent > 20
    others = [line for line in p.ingress.connections() if line.get("reason") == "source_quota"]
    assert {line["src"].rsplit(":", 1)[0] for line in others} == {FLOODERS_ADDRESS}


@pytest.fixture
def slow_machine(site, tmp_path):
    """The server, on a TPM that takes 60 ms for a command."""
    with SlowTpm(site.server, 0.06) as slow:
        yield slow


def test_hellos_closed_at_once_on_a_slow_tpm(slow_machine, pair, flooder):
    """Each would cost the TPM two statements and a signature: its peer is gone, and it is skipped."""
    p = pair(server=slow_machine, binaries=RELEASE / "bin")
    hello = client_hello(p, identity=flooder.identity())
    withstands(p, Flood(p.ingress_port, hello, 50), honest=8, seconds=6.0)


def test_hellos_that_stay_on_a_slow_tpm(slow_machine, pair, flooder):
    """The TPM's queue is fair: another source waits for its own entries only."""
    p = pair(server=slow_machine, binaries=RELEASE / "bin")
    hello = client_hello(p, identity=flooder.identity())
    with Flood(p.ingress_port, hello, 50, hold=True) as flood:
        wait_until("a queue", lambda: flood.sent > 100)
        assert honest_clients(p.egress_port, 8) == 8
    assert set(reasons(p.ingress)) & {"tpm_overloaded", "peer_closed"}


def seconds_for_a_hello(port, hello, count=50):
    """Until the server has answered it, one after the other: what it can serve depends on who else runs here."""
    started = time.monotonic()
    for _ in range(count):
        with connect(port) as s:
            s.sendall(hello)
            s.recv(1)
    return (time.monotonic() - started) / count


def test_hellos_at_full_speed(site, pair):
    """Handshakes get one step of each turn of the loop."""
    certificate, key = site.pki.issue("plain.test")
    anybody = {"peer": {"unsafe_unauthenticated": True}}
    p = pair(ingress_tunnel=anybody, egress_tunnel=anybody, egress={"identity": {"attester": "none"}},
             ingress={"identity": {"certificate": str(certificate), "key": str(key)}},
             binaries=RELEASE / "bin")
    hello = client_hello(p)
    withstands(p, Flood(p.ingress_port, hello, min(1000, 0.5 / seconds_for_a_hello(p.ingress_port, hello))))


def test_a_burst_of_applications_keeps_within_what_their_peer_allows_one_source(site, pair):
    """The egress begins so many handshakes at a time; all at once would be refused (source_quota)."""
    certificate, key = site.pki.issue("burst.test")
    anybody = {"peer": {"unsafe_unauthenticated": True}}
    p = pair(ingress_tunnel=anybody, egress_tunnel=anybody,
             egress={"identity": {"attester": "none"}, "half_open": {"handshakes": 4}},
             ingress={"identity": {"certificate": str(certificate), "key": str(key)}, "half_open": {"per_source": 16}},
             binaries=RELEASE / "bin")
    with concurrent.futures.ThreadPoolExecutor(200) as burst:
        answers = list(burst.map(ask, [p.egress_port] * 200))
    assert answers == [b"hello"] * 200
    assert not reasons(p.ingress)
