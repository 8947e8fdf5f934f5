"""The data path, without attestation: where it listens, where it dials, what it does with bytes,
memory and time. The peers of atlsd are atlsd and the stock openssl."""
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import (BIN, PATIENCE, RELEASE, Application, Atlsd, Process, StockClient, ask, connect, echo, free_ports,
                     is_listening, open_descriptors, read_all, resident_kib, run, wait_until)

OPEN = {"peer": {"unsafe_unauthenticated": True}}


@pytest.fixture(scope="module")
def server_identity(tmp_path_factory):
    directory = tmp_path_factory.mktemp("identity")
    done = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-subj", "/CN=server.test", "-days", "30", "-keyout", directory / "key.pem",
               "-out", directory / "certificate.pem")
    assert done.returncode == 0, done.stderr
    return {"certificate": str(directory / "certificate.pem"), "key": str(directory / "key.pem")}


@pytest.fixture
def relay(server_identity, tmp_path):
    """Starts an ingress and an egress atlsd before an application; anything can be overridden."""
    numbers = itertools.count(1)
    with contextlib.ExitStack() as running:
        def start(handle=echo, ingress=None, egress=None, binaries=None, **whole):
            class Relay:
                pass

            made = Relay()
            # Its own: an atlsd whose file is overwritten with another's takes the other's addresses.
            made.directory = tmp_path / f"relay{next(numbers)}"
            made.application = running.enter_context(Application(handle))
            made.ingress_port, made.egress_port = free_ports(), free_ports()
            made.ingress = running.enter_context(Atlsd(made.directory, {
                "identity": server_identity, **whole, "tunnels": [{
                    "name": "in", "role": "ingress", "listen": f"127.0.0.1:{made.ingress_port}",
                    "target": f"127.0.0.1:{made.application.port}", **OPEN, **(ingress or {})}]},
                "ingress", binaries))
            made.egress = running.enter_context(Atlsd(made.directory, {
                **whole, "tunnels": [{
                    "name": "out", "role": "egress", "listen": f"127.0.0.1:{made.egress_port}",
                    "target": f"127.0.0.1:{made.ingress_port}", **OPEN, **(egress or {})}]},
                "egress", binaries))
            return made

        yield start


# Where it listens and dials.

def test_unix_sockets_at_both_ends(relay, tmp_path):
    target = tmp_path / "application.sock"
    listen = tmp_path / "plain.sock"
    with socket.socket(socket.AF_UNIX) as application:
        application.bind(str(target))
        application.listen()

        def serve():
            connection, _ = application.accept()
            with connection:
                echo(connection)

        threading.Thread(target=serve, daemon=True).start()
        made = relay(ingress={"target": f"unix:{target}"}, egress={"listen": f"unix:{listen}"})
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(str(listen))
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            assert read_all(s) == b"hello"
    line = made.ingress.last_connection()
    assert line["dst"] == f"unix:{target}"
    assert made.egress.last_connection()["src"] == "unix"
    made.egress.stop()
    assert not listen.exists()


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(relay, tmp_path):
    listen = tmp_path / "plain.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(listen))
    stale.close()
    made = relay(egress={"listen": f"unix:{listen}"})
    second = run(RELEASE / "bin/atlsd", "--config", made.directory / "egress.json")
    assert second.returncode == 1
    assert "another program listens there already" in second.stdout + second.stderr
    assert listen.is_socket()


def test_abstract_unix_sockets(relay):
    name = f"atlsd-test-{os.getpid()}"
    made = relay(egress={"listen": f"unix:@{name}"})

    def answered():
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(f"\0{name}")
            except OSError:
                return False
            s.sendall(b"hello")
            return s.recv(5) == b"hello"

    wait_until("an answer", answered)
    assert made.egress.last_connection()["src"] == "unix"


def test_sockets_from_the_service_manager_by_name(server_identity, tmp_path):
    """sd_listen_fds(3): two sockets of one name, one of another."""
    with Application(echo) as application, contextlib.ExitStack() as held:
        ingress_port = free_ports()
        held.enter_context(Atlsd(tmp_path, {"identity": server_identity, "tunnels": [{
            "name": "in", "role": "ingress", "listen": f"127.0.0.1:{ingress_port}",
            "target": f"127.0.0.1:{application.port}", **OPEN}]}, "ingress"))
        listening = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        config = tmp_path / "egress.json"
        config.write_text(f"""{{"threads": 2, "tunnels": [{{"name": "out", "role": "egress",
            "listen": "systemd:plain", "target": "127.0.0.1:{ingress_port}",
            "peer": {{"unsafe_unauthenticated": true}}}}]}}""")
        # The shell puts the sockets where the protocol wants them, and its own pid.
        script = "exec 3<&%d 4<&%d 5<&%d; exec env LISTEN_PID=$$ LISTEN_FDS=3 " \
                 "LISTEN_FDNAMES=plain:other:plain %s --config %s" % (
                     *(s.fileno() for s in listening), RELEASE / "bin/atlsd", config)
        with open(tmp_path / "egress.log", "wb") as log:
            egress = subprocess.Popen(["bash", "-c", script], stdout=log, stderr=log,
                                      pass_fds=[s.fileno() for s in listening])
        try:
            for s in (listening[0], listening[2]):
                assert ask(s.getsockname()[1]) == b"hello"
        finally:
            egress.terminate()
            assert egress.wait(PATIENCE) == 0


def test_a_socket_that_the_service_manager_did_not_pass_is_named(tmp_path):
    config = tmp_path / "egress.json"
    config.write_text("""{"tunnels": [{"name": "out", "role": "egress", "listen": "systemd:plain",
        "target": "127.0.0.1:1", "peer": {"unsafe_unauthenticated": true}}]}""")
    done = run(RELEASE / "bin/atlsd", "--config", config)
    assert done.returncode == 1
    assert 'tunnel "out" cannot listen on systemd:plain' in done.stdout + done.stderr


def test_all_addresses_of_a_name_are_tried(relay):
    """localhost is ::1 as well, where nothing listens."""
    made = relay()
    by_name = relay(egress={"target": f"localhost:{made.ingress_port}"})
    assert ask(by_name.egress_port) == b"hello"


def test_start_order_does_not_matter(relay, server_identity, tmp_path):
    late = free_ports()
    made = relay(egress={"target": f"127.0.0.1:{late}"})
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(made.egress_port)))
    asking.start()
    time.sleep(0.3)
    with Atlsd(tmp_path / "late", {"identity": server_identity, "tunnels": [{
            "name": "in", "role": "ingress", "listen": f"127.0.0.1:{late}",
            "target": f"127.0.0.1:{made.application.port}", **OPEN}]}):
        asking.join(PATIENCE)
        assert answers == [b"hello"]


def test_a_target_that_nobody_serves_is_reported_in_time(relay):
    made = relay(egress={"target": f"127.0.0.1:{free_ports()}", "timeouts": {"connect": "300ms"}})
    started = time.monotonic()
    assert ask(made.egress_port) == b""
    assert time.monotonic() - started < 3
    line = made.egress.last_connection()
    assert line["reason"] == "target_unreachable"
    assert "Connection refused" in line["detail"]


def test_without_a_redirection_there_is_no_original_destination(relay):
    made = relay(egress={"target": "original-destination"})
    assert ask(made.egress_port) == b""
    line = made.egress.last_connection()
    assert line["reason"] == "target_unreachable"
    assert "original destination" in line["detail"]


# Bytes.

@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 16384, 17408, 300_000, 20_000_000])
def test_bytes_come_out_as_they_went_in(relay, size):
    made = relay()
    content = hashlib.shake_128(b"content").digest(size)
    with connect(made.egress_port) as s:
        sending = threading.Thread(target=lambda: (s.sendall(content), s.shutdown(socket.SHUT_WR)))
        sending.start()
        assert read_all(s) == content
        sending.join()
    line = made.egress.last_connection()
    assert (line["bytes_sent"], line["bytes_recv"]) == (size, size)
    assert "reason" not in line


def test_both_directions_at_once_do_not_disturb_each_other(relay):
    size = 8_000_000
    content = hashlib.shake_128(b"both").digest(size)

    def send_and_receive(connection):
        sending = threading.Thread(target=connection.sendall, args=(content,))
        sending.start()
        received = b""
        while len(received) < size:
            received += connection.recv(1 << 16)
        sending.join()
        assert received == content

    made = relay(send_and_receive)
    with connect(made.egress_port) as s:
        send_and_receive(s)


def test_a_stock_client_changes_the_keys(relay, tmp_path):
    """openssl s_client: K sends a KeyUpdate that asks for one of ours. It throws away what it reads
    behind the K at once, so the question waits until the K has been understood."""
    made = relay()
    with StockClient(made.ingress_port, tmp_path / "s_client.log") as client:
        for i in range(3):
            client.type("K")
            client.expect("KEYUPDATE", i + 1)
            client.type(f"question {i}")
            client.expect(f"question {i}")


def test_a_stock_server_with_tickets_is_understood(relay, server_identity):
    port = free_ports()
    server = subprocess.Popen(
        ["openssl", "s_server", "-rev", "-tls1_3", "-num_tickets", "4", "-accept", f"127.0.0.1:{port}",
         "-cert", server_identity["certificate"], "-key", server_identity["key"]],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("s_server", lambda: is_listening(port))
        made = relay(egress={"target": f"127.0.0.1:{port}"})
        with connect(made.egress_port) as s:
            s.sendall(b"hello\n")
            assert s.recv(100) == b"olleh\n"
    finally:
        server.terminate()
        server.wait()


# Ends.

def test_half_close_in_either_order_and_both_at_once(relay):
    def answer_after_the_end(connection):
        question = read_all(connection)
        connection.sendall(question[::-1])

    made = relay(answer_after_the_end)
    assert ask(made.egress_port, b"abc") == b"cba"

    def end_first(connection):
        connection.sendall(b"first")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"last"

    made = relay(end_first)
    with connect(made.egress_port) as s:
        assert read_all(s) == b"first"
        s.sendall(b"last")
        s.shutdown(socket.SHUT_WR)
    assert "reason" not in made.egress.last_connection()
    assert "reason" not in made.ingress.last_connection()


def test_a_half_closed_connection_ends_when_nothing_moves(relay):
    made = relay(lambda connection: (read_all(connection), time.sleep(5)),
                 egress={"timeouts": {"half_closed": "300ms"}})
    started = time.monotonic()
    assert ask(made.egress_port) == b""
    assert time.monotonic() - started < 3
    line = made.egress.last_connection()
    assert line["reason"] == "idle_timeout"
    assert line["detail"] == "no byte for 300 ms after one side had ended (timeouts.half_closed)"


def test_an_idle_connection_ends_and_data_keep_it_alive(relay):
    idle = 3
    made = relay(egress={"timeouts": {"idle": f"{idle}s"}})
    with connect(made.egress_port) as s:
        started = time.monotonic()
        while time.monotonic() - started < 1.5 * idle:
            s.sendall(b"x")
            assert s.recv(1) == b"x"
            time.sleep(idle / 8)
        quiet_since = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
        assert idle / 2 < time.monotonic() - quiet_since < 3 * idle
    line = made.egress.last_connection()
    assert line["reason"] == "idle_timeout"
    assert line["detail"] == f"no byte for {idle}000 ms (timeouts.idle)"


def test_a_connection_that_is_never_idle_ends_when_it_is_half_closed(relay):
    made = relay(lambda connection: (echo(connection), time.sleep(5)),
                 egress={"timeouts": {"idle": "never", "half_closed": "300ms"}})
    with connect(made.egress_port) as s:
        time.sleep(1)  # three times the other limit
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    assert "timeouts.half_closed" in made.egress.last_connection()["detail"]


@pytest.mark.parametrize("value", ["0s", "nevr", 0])
def test_an_idle_limit_is_a_duration_or_never(value, tmp_path):
    file = tmp_path / "atlsd.json"
    file.write_text(json.dumps({"tunnels": [{
        "name": "a", "role": "egress", "listen": "127.0.0.1:1", "target": "127.0.0.1:2", **OPEN,
        "timeouts": {"idle": value}}]}))
    done = run(BIN / "atlsd", "--check", "--config", file)
    assert done.returncode == 1 and 'or "never"' in done.stderr


# What a peer sees that is refused while it still sends.

ALERT = 21


def old_hello():
    """A ClientHello of TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


def send_slowly(s, seconds):
    """128 KiB, the longest that a handshake message may be, in so many seconds."""
    for _ in range(16):
        s.sendall(bytes(8192))
        time.sleep(seconds / 16)


def test_a_refused_peer_that_sends_on_slowly_reads_the_alert(relay):
    made = relay(ingress={"timeouts": {"close": "500ms"}})
    with connect(made.ingress_port) as s:
        s.sendall(old_hello())
        send_slowly(s, 2)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s)[0] == ALERT
    assert made.ingress.last_connection()["reason"] == "handshake_failed"


def test_a_peer_that_breaks_the_record_protocol_and_sends_on_reads_the_alert(relay):
    made = relay(ingress={"timeouts": {"close": "500ms"}})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, sent)
    with connect(made.ingress_port) as s:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(sent.read())
                received.write(s.recv(1 << 16))
        tls.write(b"x")
        s.sendall(sent.read())
        s.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        send_slowly(s, 2)
        s.shutdown(socket.SHUT_WR)
        received.write(read_all(s))
        with pytest.raises(ssl.SSLError, match="(?i)bad record mac"):
            tls.read(2)
            tls.read(2)
    assert made.ingress.last_connection()["reason"] == "record_invalid"


@pytest.mark.parametrize("size, pause", [(1 << 16, 0), (1, 0.1)], ids=["a flood", "a trickle"])
def test_a_refused_peer_is_not_listened_to_for_ever(relay, size, pause):
    made = relay(ingress={"timeouts": {"close": "500ms", "handshake": "2s"}})
    with connect(made.ingress_port) as s:
        s.sendall(old_hello())
        with pytest.raises(OSError):
            while True:
                s.sendall(bytes(size))
                time.sleep(pause)
    assert made.ingress.last_connection()["duration_ms"] < 6000


def test_a_reset_by_the_application_reaches_the_client_as_a_reset(relay):
    def reset(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    made = relay(reset)
    with connect(made.egress_port) as s:
        s.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    assert made.ingress.last_connection()["reason"] == "local_reset"


# Limits.

@pytest.mark.parametrize("where", ["tunnel", "all"])
def test_connections_over_the_limit_wait_for_a_place(relay, where):
    limit = {"max_connections": 2}
    made = relay(egress=limit) if where == "tunnel" else relay(**limit)
    first, second, third = (connect(made.egress_port) for _ in range(3))
    with first, second, third:
        for s in (first, second, third):
            s.sendall(b"x")
        assert first.recv(1) == second.recv(1) == b"x"
        third.settimeout(0.5)
        with pytest.raises(TimeoutError):
            third.recv(1)
        first.close()
        third.settimeout(PATIENCE)
        assert third.recv(1) == b"x"
    assert made.egress.log().count("is full") == 1


def test_out_of_descriptors_is_waited_out(server_identity, tmp_path):
    """Neither a spin nor an exit: connections wait and are served when there is room again."""
    with Application(echo) as application:
        port = free_ports()
        config = tmp_path / "few.json"
        config.write_text(f"""{{"threads": 1, "identity": {{"certificate": "{server_identity['certificate']}",
            "key": "{server_identity['key']}"}}, "tunnels": [{{"name": "in", "role": "ingress",
            "listen": "127.0.0.1:{port}", "target": "127.0.0.1:{application.port}",
            "peer": {{"unsafe_unauthenticated": true}}}}]}}""")
        with Process(["bash", "-c", f"ulimit -n 30; exec {RELEASE}/bin/atlsd --config {config}"],
                     tmp_path / "few.log", lambda: is_listening(port)) as atlsd:
            atlsd.expected_exit = (0, 1)
            crowd = [connect(port) for _ in range(60)]
            wait_until("a warning", lambda: "cannot accept" in atlsd.log())
            spent = atlsd.cpu_seconds()
            time.sleep(1)
            assert atlsd.log().count("cannot accept") < 20
            assert atlsd.cpu_seconds() - spent < 0.5, "it spins"
            for s in crowd:
                s.close()

            def answered():
                return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}").returncode == 0
            wait_until("service again", answered)


# Memory and time, of the optimised build.

def test_a_slow_reader_holds_the_sender_up_and_not_memory(relay):
    release = threading.Event()
    made = relay(lambda connection: release.wait(PATIENCE), binaries=RELEASE / "bin")
    before = resident_kib(made.egress, "RssAnon") + resident_kib(made.ingress, "RssAnon")
    with connect(made.egress_port) as s:
        s.setblocking(False)
        sent = 0
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 1:
            with contextlib.suppress(BlockingIOError):
                sent += s.send(b"x" * 65536)
                quiet_since = time.monotonic()
        grown = resident_kib(made.egress, "RssAnon") + resident_kib(made.ingress, "RssAnon") - before
        release.set()
    print(f"{sent >> 10} KiB sent until all was full, memory grew by {grown} KiB")
    # The rest is in the kernel's socket buffers. 4 buffers of 272 KiB, and what a first use costs.
    assert grown < 4 * 272 + 1536


def open_and_use(port, count, at_once=50):
    """Connections opened, used and closed; all must work."""
    for _ in range(count // at_once):
        crowd = [connect(port) for _ in range(at_once)]
        for s in crowd:
            s.sendall(b"x" * 3000)
        for s in crowd:
            assert s.recv(3000, socket.MSG_WAITALL) == b"x" * 3000
            s.close()


def test_memory_and_descriptors_are_given_back(relay):
    """20,000 connections leave RSS where it was, within 100 bytes each, once more have been open at a time than ever are
    later: those of one crowd may be open still when the next one comes."""
    made = relay(binaries=RELEASE / "bin", log={"format": "json", "level": "error"})
    programs = (made.egress, made.ingress)
    open_and_use(made.egress_port, 3000, at_once=300)
    open_and_use(made.egress_port, 3000)
    descriptors = [open_descriptors(p) for p in programs]
    before = [resident_kib(p) for p in programs]
    open_and_use(made.egress_port, 20_000)
    wait_until("all closed", lambda: [open_descriptors(p) for p in programs] <= descriptors)
    after = [resident_kib(p) for p in programs]
    print(f"RSS {before} -> {after} KiB")
    for b, a in zip(before, after):
        assert a <= b + 20_000 * 100 / 1024


def round_trips(s, count):
    """Small questions and their answers."""
    for _ in range(count):
        s.sendall(b"x" * 64)
        assert s.recv(64, socket.MSG_WAITALL) == b"x" * 64


def idle_connections(port, count):
    crowd = []
    while len(crowd) < count:
        group = [connect(port) for _ in range(50)]
        for s in group:
            s.sendall(b"x")
        for s in group:
            assert s.recv(1) == b"x"
        crowd += group
    return crowd


@contextlib.contextmanager
def on_one_core(*programs):
    """These and this process: where they wake each other across cores, that is half of what a round trip costs, and
    the scheduler puts them now so and now so."""
    cores = os.sched_getaffinity(0)

    def keep(to):
        for pid in ["self", *(p.popen.pid for p in programs)]:
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), to)

    keep({min(cores)})
    try:
        yield
    finally:
        keep(cores)


def test_idle_connections_cost_little_and_do_not_slow_a_busy_one(relay):
    """Both of the pair's connections are idle: 5,000 through it are 10,000 of atlsd's."""
    count = 5000
    threading.stack_size(256 * 1024)
    made, lonely = (relay(binaries=RELEASE / "bin", log={"format": "json", "level": "error"}) for _ in range(2))
    idle_connections(made.egress_port, 50)
    before = [resident_kib(p) for p in (made.egress, made.ingress)]
    crowd = idle_connections(made.egress_port, count)
    each = [(resident_kib(p) - b) / count for p, b in zip((made.egress, made.ingress), before)]

    def cpu_seconds(pair):
        return pair.egress.cpu_seconds() + pair.ingress.cpu_seconds()

    def cpu_of_round_trips(pair, open_socket, count=1000):
        """Seconds of both programs, on connections that are open: a handshake costs as much as 300 round trips."""
        spent = cpu_seconds(pair)
        round_trips(open_socket, count)
        return (cpu_seconds(pair) - spent) / count

    # By turns, and the cheapest turn of each: whatever else runs on the machine (caches emptied, a core's other half)
    # only ever adds to the cost, and none of it is the crowd's.
    with (connect(lonely.egress_port) as one, connect(made.egress_port) as another,
          on_one_core(lonely.egress, lonely.ingress, made.egress, made.ingress)):
        costs = [(cpu_of_round_trips(lonely, one), cpu_of_round_trips(made, another)) for _ in range(10)]
    alone, in_a_crowd = map(min, zip(*costs))
    for s in crowd:
        s.close()
    threading.stack_size(0)
    print(f"{each[0]:.1f} and {each[1]:.1f} KiB each; CPU of a round trip {alone * 1e6:.0f} us alone, "
          f"{in_a_crowd * 1e6:.0f} us among {count}")
    assert max(each) <= 16
    assert in_a_crowd < alone * 1.5


def test_mixed_load_for_a_while(relay):
    """Bulk, questions and answers, short connections and resets at the same time. ATLS_SOAK_SECONDS
    makes it longer."""
    seconds = float(os.environ.get("ATLS_SOAK_SECONDS", 5))
    made = relay(threads=2, log={"format": "json", "level": "warn"})
    ends = time.monotonic() + seconds
    done = {"bulk": 0, "asked": 0, "short": 0, "reset": 0}
    failed = []

    def during(kind, once):
        def run_until_the_end():
            try:
                while time.monotonic() < ends:
                    once()
                    done[kind] += 1
            except (OSError, AssertionError) as e:
                failed.append((kind, e))
        return threading.Thread(target=run_until_the_end)

    content = hashlib.shake_128(b"soak").digest(3_000_000)

    def bulk():
        with connect(made.egress_port) as s:
            sending = threading.Thread(
                target=lambda: (s.sendall(content), s.shutdown(socket.SHUT_WR)))
            sending.start()
            assert read_all(s) == content
            sending.join()

    def asked():
        with connect(made.egress_port) as s:
            for i in range(200):
                question = b"%d" % i * (i + 1)
                s.sendall(question)
                assert s.recv(len(question), socket.MSG_WAITALL) == question

    def short():
        assert ask(made.egress_port) == b"hello"

    def reset():
        time.sleep(0.05)
        with connect(made.egress_port) as s:
            s.sendall(b"x" * 5000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    threads = [during("bulk", bulk), during("asked", asked), during("asked", asked),
               during("short", short), during("reset", reset)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(done)
    assert not failed
    assert min(done.values()) > 0


# Resumption (off by default).

def stock_session(port, file, *options):
    """Whether openssl s_client resumed; keeps the session it was given."""
    with StockClient(port, file.with_suffix(".log"), "-sess_out", file, *options) as client:
        client.type("question")
        client.expect("question")
        return "\nReused, TLSv1.3" in client.log()


def test_a_stock_client_resumes_in_its_own_tunnel_only(relay, server_identity, tmp_path):
    made = relay(ingress={"resumption": "10m"})
    one_port, other_port = free_ports(), free_ports()
    first, second = tmp_path / "first", tmp_path / "second"
    with Atlsd(tmp_path, {"identity": server_identity, "tunnels": [
            {"name": name, "role": "ingress", "listen": f"127.0.0.1:{port}", "resumption": "10m",
             "target": f"127.0.0.1:{made.application.port}", **OPEN}
            for name, port in (("one", one_port), ("two", other_port))]}, "other"):
        assert not stock_session(made.ingress_port, first)
        assert stock_session(made.ingress_port, second, "-sess_in", first)
        assert not stock_session(other_port, second, "-sess_in", first)
        assert not stock_session(one_port, first, "-sess_in", second)
        assert stock_session(one_port, second, "-sess_in", first)


def test_a_ticket_does_not_survive_a_restart(relay, tmp_path):
    session = tmp_path / "session"
    first = relay(ingress={"resumption": "10m"})
    config = json.loads((first.directory / "ingress.json").read_text())
    port = first.ingress_port
    assert not stock_session(port, session)
    other_port = free_ports()
    again = {**config, "tunnels": [{**config["tunnels"][0], "listen": f"127.0.0.1:{other_port}"}]}
    with Atlsd(tmp_path, again, "again"):
        assert not stock_session(other_port, tmp_path / "other", "-sess_in", session)


def test_no_ticket_and_no_early_data_unless_configured(relay, tmp_path):
    session = tmp_path / "session"
    made = relay()
    assert not stock_session(made.ingress_port, session)
    assert not session.exists()
    with_tickets = relay(ingress={"resumption": "10m"})
    assert not stock_session(with_tickets.ingress_port, session)
    described = run("openssl", "sess_id", "-in", session, "-text", "-noout").stdout
    assert "Max Early Data: 0" in described and "TLS session ticket lifetime hint: 598" in described


def test_sessions_of_a_stock_server_are_resumed(relay, server_identity):
    port = free_ports()
    with Process(["openssl", "s_server", "-rev", "-tls1_3", "-accept", f"127.0.0.1:{port}", "-cert",
                  server_identity["certificate"], "-key", server_identity["key"]],
                 pathlib.Path(server_identity["key"]).with_name("s_server.log"),
                 lambda: is_listening(port)) as server:
        server.expected_exit = (-signal.SIGTERM,)
        made = relay(egress={"target": f"127.0.0.1:{port}", "resumption": "10m"})
        for count, resumed in enumerate([False, True, True], 1):
            with connect(made.egress_port) as s:
                s.sendall(b"abc\n")
                assert s.recv(10) == b"cba\n"
            assert made.egress.last_connection(count)["resumed"] == resumed
