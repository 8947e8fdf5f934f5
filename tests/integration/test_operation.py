"""The life of a running atlsd: reload, drain, takeover, what it tells and what it withstands."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from harness import (BIN, PATIENCE, PKI_ONLY, RELEASE, Admin, Application, Atlsd, FaultyVerifier, Machine, Process,
                     Running, Verifier, ask, connect, echo, free_ports, is_listening, plain_client, plain_server,
                     read_all, run, wait_until)


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


class Load:
    """Connections that come and go, and one that stays; counts what goes wrong."""

    def __init__(self, port, threads=4):
        self.port = port
        self.stopping = threading.Event()
        self.done = 0
        self.lost = []
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stopping.is_set():
            try:
                with connect(self.port) as s:
                    s.sendall(b"question")
                    s.shutdown(socket.SHUT_WR)
                    answer = read_all(s)
                if answer != b"question":
                    self.lost.append(answer)
            except OSError as e:
                self.lost.append(e)
            self.done += 1

    def __enter__(self):
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for one in self.threads:
            one.join()


# reload

def test_a_thousand_reloads_under_load_lose_no_connection_and_no_memory(plain):
    server, admin, port = plain()
    with connect(port) as lasting, Load(port, 2) as load:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        sizes = []
        for i in range(1000):
            assert admin.ask("POST", "/reload")[0] == 200
            if i % 100 == 99:
                sizes.append(rss_kib(server.popen.pid))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
    assert not load.lost and load.done > 100
    # Flat: the second half does not grow by more than a page table or two.
    assert sizes[-1] - sizes[4] < 1024, sizes
    assert admin.metric("atlsd_reloads_total") == 1000


def test_reload_applies_to_new_connections(running):
    r = running()
    assert ask(r.port) == b"hello"
    with Application(lambda s: s.sendall(b"another: " + read_all(s))) as other:
        r.reload(lambda c: c["tunnels"][0].update(target=f"127.0.0.1:{other.port}"))
        assert ask(r.port) == b"another: hello"
    assert r.admin.status()["last_reload"]["ok"]


def test_hangup_and_command_line_reload_too(running):
    r = running()
    r.hang_up()
    wait_until("reload", lambda: r.admin.status()["reloads"] == 1)
    done = run(BIN / "atls", "reload", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 0, done.stderr
    assert r.admin.status()["reloads"] == 2
    r.change(lambda c: c.update(tunnels=[]))
    done = run(BIN / "atls", "reload", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 1 and "tunnels: is missing or empty" in done.stderr


@pytest.mark.parametrize("breakage, word", [
    (lambda c, d: c.update(thread=1), "thread: is not a known key"),
    (lambda c, d: c["identity"].update(certificate=str(d / "broken.pem")), "certificate"),
    (lambda c, d: c["tunnels"][0].update(peer={"ca": str(d / "broken.pem"), "names": ["x"]}), "trust anchors"),
    (lambda c, d: c["tunnels"][0].update(listen="192.0.2.1:1"), "cannot listen"),
    (lambda c, d: c.update(policy={"rules": [{"deny": {"nonsense": 1}}]}), "policy.rules[0]"),
    (lambda c, d: c["verifier"].update(result_key=str(d / "broken.pem")), "result_key"),
], ids=["configuration", "certificate", "trust anchors", "address", "policy", "result key"])
def test_a_bad_reload_leaves_the_old_configuration(running, tmp_path, breakage, word):
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        good = r.file.read_text()
        answer = r.reload(lambda c: breakage(c, tmp_path), expected=409)
        assert word in answer
        assert "reload (asked by the admin endpoint) failed, the old configuration stays" in r.atlsd.log()
        state = r.admin.status()
        assert not state["last_reload"]["ok"] and word in state["last_reload"]["detail"]
        assert r.admin.metric("atlsd_last_reload_success") == 0
        assert ask(r.port) == b"hello"
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
    r.file.write_text(good)
    r.reload()
    assert r.admin.metric("atlsd_last_reload_success") == 1


def test_a_broken_certificate_file_is_noticed_by_itself_and_mended_by_itself(site, pair, tmp_path):
    certificate = tmp_path / "certificate.pem"
    shutil.copy(site.server_certificate, certificate)
    r = Running(pair(ingress={"identity": site.server.identity(certificate=str(certificate)),
                              "admin": {"listen": f"unix:{tmp_path}/admin.sock"}},
                     egress_tunnel={"attest": True, "require_attestation": True,
                                    "peer": {"ca": str(site.pki.ca), "names": ["server.test"]}}), tmp_path)
    assert ask(r.port) == b"hello"
    certificate.write_text("nonsense")
    wait_until("failed reload", lambda: r.admin.status()["reloads_failed"] == 1)
    assert ask(r.port) == b"hello"
    shutil.copy(site.server_certificate, certificate)
    wait_until("reload", lambda: r.admin.status()["last_reload"]["ok"])
    assert ask(r.port) == b"hello"


@pytest.mark.parametrize("how", ["events", "polling"])
def test_a_symlink_swap_as_kubernetes_does_it_is_noticed(site, tmp_path, how):
    """..data points to a directory of that moment; the files are links through it."""
    def publish(number, certificate, key):
        directory = tmp_path / f"volume/..{number}"
        directory.mkdir(parents=True)
        shutil.copy(certificate, directory / "tls.crt")
        shutil.copy(key, directory / "tls.key")
        link = tmp_path / "volume/..data_tmp"
        link.symlink_to(directory.name)
        link.rename(tmp_path / "volume/..data")

    certificates = [site.pki.issue(f"swap-{i}-{how}") for i in range(2)]
    publish(1, *certificates[0])
    for name in ("tls.crt", "tls.key"):
        (tmp_path / "volume" / name).symlink_to(f"..data/{name}")
    port = free_ports()
    config = plain_server(tmp_path, site, type("A", (), {"port": 1}), port)
    config["identity"] |= {"certificate": str(tmp_path / "volume/tls.crt"), "key": str(tmp_path / "volume/tls.key")}
    config["reload"] = {"poll_interval": "300ms" if how == "polling" else "1h"}

    def subject():
        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}")
        return re.search(r"subject=CN = (\S+)", shown.stdout)[1]

    environment = None
    if how == "polling":
        # Nobody gets events here.
        environment = {**os.environ, "LD_PRELOAD": str(build_without_inotify(tmp_path))}
    file = tmp_path / "swap.json"
    file.write_text(json.dumps(config))
    with Process([RELEASE / "bin/atlsd", "--config", file], tmp_path / "log", lambda: is_listening(port),
                 env=environment):
        assert subject() == f"swap-0-{how}"
        publish(2, *certificates[1])
        wait_until("the new certificate", lambda: subject() == f"swap-1-{how}", 5)


def build_without_inotify(directory):
    source, library = directory / "deaf.c", directory / "deaf.so"
    source.write_text("#include <errno.h>\nint inotify_init1(int f){(void)f;errno=ENOSYS;return -1;}\n")
    made = run("cc", "-shared", "-fPIC", "-o", library, source)
    assert made.returncode == 0, made.stderr
    return library


# live connections are judged again

@pytest.mark.parametrize("change, reason", [
    (lambda c, site: c["tunnels"][0].update(peer={"kid": site.server.kid}), "kid_not_allowed"),
    (lambda c, site: c.update(policy={"pcrs": "sha256:0,1,2,3,4,5,6,7,9,10"}), "pat_pcrs_missing"),
    (lambda c, site: c.update(policy={"rules": [{"deny": {"evidence.kid": site.client.kid}}]}), "policy_denied"),
    (lambda c, site: c.update(policy={"verifier_id": {"developer": "somebody else"}}), "ear_verifier_id"),
    (lambda c, site: c.update(policy={"appraisal_policy_id": "another"}), "ear_policy_id"),
    (lambda c, site: c["tunnels"][0].update(name="renamed"), "tunnel_removed"),
], ids=["kid", "pcrs", "rule", "verifier", "policy id", "tunnel"])
def test_a_reload_closes_only_those_whom_the_new_policy_refuses(running, site, change, reason):
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        r.reload(lambda c: c.update(log={"format": "json", "level": "debug"}))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
        r.reload(lambda c: change(c, site))
        with pytest.raises(OSError):
            assert lasting.recv(1) == b""
            raise ConnectionError("the end")
    line = r.atlsd.last_connection()
    assert (line["reason"], line["verdict"]) == (reason, "affirming")


def test_a_dry_run_closes_nobody(running, site):
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        r.reload(lambda c: c.update(policy={"dry_run": True, "rules": [{"deny": {"evidence.kid": site.client.kid}}]}))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"


def test_trust_anchors_and_names_are_judged_again(running, site):
    pki = {"ca": str(site.pki.ca), "names": ["client.test"]}
    r = running(ingress_tunnel={"attest": True, "peer": pki},
                egress={"identity": site.client.identity(certificate=str(site.client_certificate))},
                egress_tunnel={"attest": True, "require_attestation": True})
    for change, reason in (({"names": ["somebody.else"]}, "pki_name_mismatch"),
                           ({"ca": str(site.server_certificate)}, "pki_untrusted")):
        with connect(r.port) as lasting:
            lasting.sendall(b"a")
            assert lasting.recv(1) == b"a"
            r.reload(lambda c: c["tunnels"][0].update(peer={**pki, "names": ["another", "client.test"]}))
            lasting.sendall(b"b")
            assert lasting.recv(1) == b"b"
            r.reload(lambda c: c["tunnels"][0].update(peer={**pki, **change}))
            wait_until("line", lambda: r.atlsd.connections() and r.atlsd.connections()[-1].get("reason") == reason)
        r.reload(lambda c: c["tunnels"][0].update(peer=pki))


def test_a_handshake_that_began_before_the_reload_is_judged_by_what_is_in_force_at_its_end(running, site):
    entered, go_on = threading.Event(), threading.Event()

    def slowly(real):
        entered.set()
        assert go_on.wait(PATIENCE)
        return real

    with FaultyVerifier(site.verifier, slowly) as verifier:
        r = running(ingress_verifier={"url": verifier.url})
        with connect(r.port) as s:
            s.sendall(b"a")
            assert entered.wait(PATIENCE)
            r.reload(lambda c: c["tunnels"][0].update(peer={"kid": site.server.kid}))
            go_on.set()
            assert r.atlsd.last_connection()["reason"] == "kid_not_allowed"
            with contextlib.suppress(OSError):
                assert s.recv(1) == b""


def test_a_result_that_grew_too_old_ends_its_connection_at_an_idle_moment_or_at_the_limit(running):
    r = running(ingress_tunnel={"attest": True, "require_attestation": True, "max_result_age": "2s",
                                "hard_result_age": "10s"})
    with connect(r.port) as quiet, connect(r.port) as busy:
        quiet.sendall(b"a")
        assert quiet.recv(1) == b"a"
        with contextlib.suppress(OSError):
            while busy.send(b"b") and busy.recv(1):
                time.sleep(0.05)
        lines = [r.atlsd.last_connection(2)] + r.atlsd.connections()[:1]
    assert [line["reason"] for line in lines] == ["result_too_old"] * 2
    quiet_one, busy_one = sorted(line["duration_ms"] for line in lines)
    assert 1000 < quiet_one < 8000 < busy_one < 15000


# the end

def slow_echo(connection):
    """Answers when the client has finished, after a moment."""
    data = read_all(connection)
    time.sleep(0.5)
    connection.sendall(data)


def test_a_stop_finishes_what_runs_and_ignores_hangups(running):
    r = running()
    with connect(r.port) as s:
        s.sendall(b"before ")
        assert s.recv(7) == b"before "
        r.atlsd.popen.send_signal(signal.SIGTERM)
        wait_until("drain", lambda: r.admin.status()["message"] == "stopping")
        r.change(lambda c: c.update(nonsense=1))
        r.hang_up()
        wait_until("the hangup", lambda: "reload (SIGHUP) ignored: stopping" in r.atlsd.log())
        assert r.admin.ask("POST", "/reload")[0] == 409
        wait_until("closed listener", lambda: not is_listening(r.pair.ingress_port))
        s.sendall(b"after")
        assert s.recv(5) == b"after"
    assert r.atlsd.popen.wait(PATIENCE) == 0


def test_a_stop_cuts_what_does_not_end_and_says_so(running):
    r = running()
    with connect(r.port) as s:
        s.sendall(b"a")
        assert s.recv(1) == b"a"
        assert r.atlsd.stop() == 1
    assert r.atlsd.connections()[-1]["reason"] == "shutting_down"


def test_a_second_signal_ends_at_once(running):
    r = running(ingress={"shutdown_timeout": "60s"})
    with connect(r.port) as s:
        s.sendall(b"a")
        assert s.recv(1) == b"a"
        r.atlsd.popen.send_signal(signal.SIGTERM)
        wait_until("drain", lambda: r.admin.status()["message"] == "stopping")
        r.atlsd.popen.send_signal(signal.SIGTERM)
        assert r.atlsd.popen.wait(PATIENCE) == 1


def test_drain_keeps_the_process_and_quit_ends_it(running):
    r = running(slow_echo)
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(r.port, b"slow")))
    client.start()
    wait_until("connection", lambda: r.admin.status()["open_connections"] == 1)
    done = run(BIN / "atls", "drain", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 0, done.stderr
    client.join()
    assert answers == [b"slow"]
    assert r.admin.ask("GET", "/readyz") == (503, "stopping\n")
    assert r.atlsd.popen.poll() is None and not is_listening(r.pair.ingress_port)
    assert r.admin.ask("POST", "/quitquitquit")[0] == 202
    assert r.atlsd.popen.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_binary_is_replaced_under_load_and_no_request_is_lost(site, tmp_path, kind):
    with Application(echo) as application, contextlib.ExitStack() as stack:
        server_port, client_port = free_ports(2), free_ports()
        listen = f"127.0.0.1:{client_port}" if kind == "tcp" else f"unix:{tmp_path}/in.sock"
        stack.enter_context(Atlsd(tmp_path, plain_server(tmp_path, site, application, server_port), "server",
                                  RELEASE / "bin"))
        settings = plain_client(client_port, server_port) | {
            "threads": 2, "admin": {"listen": f"unix:{tmp_path}/client.sock"}, "shutdown_timeout": "10s"}
        settings["tunnels"][0]["listen"] = listen
        file = tmp_path / "client.json"
        file.write_text(json.dumps(settings))

        def start(generation, *options):
            return Process([RELEASE / "bin/atlsd", "--config", file, *options], tmp_path / f"client{generation}.log",
                           lambda: "->" in (tmp_path / f"client{generation}.log").read_text())

        def question():
            try:
                with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as s:
                    s.settimeout(PATIENCE)
                    s.connect(f"{tmp_path}/in.sock" if kind == "unix" else ("127.0.0.1", client_port))
                    s.sendall(b"question")
                    s.shutdown(socket.SHUT_WR)
                    return read_all(s)
            except OSError as e:
                return e

        lost, done, stopping = [], [0], threading.Event()

        def load():
            while not stopping.is_set():
                answer = question()
                if answer != b"question":
                    lost.append(answer)
                done[0] += 1

        current = start(0)
        clients = [threading.Thread(target=load) for _ in range(4)]
        for one in clients:
            one.start()
        try:
            for generation in range(1, 6):
                before = done[0]
                following = start(generation, "--takeover", current.popen.pid)
                assert current.popen.wait(PATIENCE) == 0, current.log()
                current = following
                wait_until("more answers", lambda: done[0] > before + 20)
        finally:
            stopping.set()
            for one in clients:
                one.join()
            with current:
                pass
        assert not lost, lost[:5]
        assert Admin(tmp_path / "client.sock").path.exists() is False


# what it tells

def test_health_endpoints_say_what_is_wrong(site, pair, tmp_path):
    machine = Machine(tmp_path / "machine")
    try:
        with Verifier(tmp_path / "verifier", [machine, site.client]) as verifier:
            r = Running(pair(server=machine, ingress_verifier=verifier.settings(),
                             ingress={"admin": {"listen": f"unix:{tmp_path}/admin.sock",
                                                "metrics_listen": f"127.0.0.1:{free_ports()}"}}), tmp_path)
            assert r.admin.get("/livez") == "ok\n"
            wait_until("ready", lambda: r.admin.ask("GET", "/readyz") == (200, "ok\n"))
            ready = [BIN / "atls", "status", "--ready", "--admin", f"unix:{r.admin.path}"]
            assert run(*ready).returncode == 0
        # The Verifier is gone.
        wait_until("not ready", lambda: r.admin.ask("GET", "/readyz")[0] == 503)
        assert "verifier_unavailable" in r.admin.ask("GET", "/readyz")[1]
        assert run(*ready).returncode == 1
        assert r.admin.metric("atlsd_ready") == 0
        machine.stop()
        wait_until("no TPM", lambda: "tpm_" in r.admin.ask("GET", "/readyz")[1])
        assert r.admin.get("/livez") == "ok\n"
    finally:
        machine.stop()


def test_what_the_admin_endpoint_shows(running, site, tmp_path):
    port = free_ports()
    r = running(ingress={"admin": {"listen": f"unix:{tmp_path}/admin.sock", "metrics_listen": f"127.0.0.1:{port}"}})
    assert ask(r.port) == b"hello"
    wait_until("ready", lambda: r.admin.status()["ok"])
    status = r.admin.status()
    assert status["message"] == "listening" and status["identity"] == {"attester": "tpm", "kid": site.server.kid}
    assert [t["name"] for t in status["tunnels"]] == ["t"] and status["verifier"] == [site.verifier.url]
    attestation = json.loads(r.admin.get("/attestation"))
    assert attestation["kid"] == site.server.kid and attestation["pcrs"] == site.server.pcrs
    assert attestation["key"]["curve"] == "P-256"
    shown, = json.loads(r.admin.get("/config"))
    assert shown == {"file": str(r.file), "content": json.loads(r.file.read_text())}
    assert oct(os.stat(r.admin.path).st_mode & 0o777) == "0o600"

    assert r.admin.ask("GET", "/reload")[0] == 405 and r.admin.ask("POST", "/status")[0] == 405
    assert r.admin.ask("GET", "/nonsense")[0] == 404
    assert r.admin.ask("POST", "/quitquitquit", headers={"Origin": "http://web.example"})[0] == 403
    assert r.admin.ask("POST", "/log-level", "nonsense")[0] == 400
    assert r.admin.ask("POST", "/log-level", "debug")[0] == 200

    # The other listener shows health and metrics and nothing else.
    def public(path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request(method, path)
        return connection.getresponse().status

    assert [public(p) for p in ("/livez", "/readyz", "/metrics")] == [200] * 3
    assert [public(p) for p in ("/status", "/config", "/attestation")] == [404] * 3
    assert public("/quitquitquit", "POST") == 404
    assert r.atlsd.popen.poll() is None


def test_metrics_are_true_and_clean(running):
    r = running()
    assert ask(r.port, b"x" * 1000) == b"x" * 1000
    assert ask(r.port, b"x") == b"x"
    wait_until("both closed", lambda: r.admin.metric("atlsd_connections_closed_total") == 2)
    text = r.admin.get("/metrics")
    checked = subprocess_with_input(["promtool", "check", "metrics"], text)
    assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked.stdout + checked.stderr
    of_tunnel = {"tunnel": "t", "role": "ingress"}
    expected = {"atlsd_connections_opened_total": 2, "atlsd_connections_open": 0, "atlsd_sent_bytes_total": 1001,
                "atlsd_received_bytes_total": 1001, "atlsd_handshake_seconds_count": 2,
                "atlsd_handshake_plain_seconds_count": 2, "atlsd_handshake_evidence_seconds_count": 2,
                "atlsd_handshake_appraisal_seconds_count": 2}
    assert {name: r.admin.metric(name, **of_tunnel) for name in expected} == expected
    assert r.admin.metric("atlsd_handshakes_total", reason="ok") == 2
    assert r.admin.metric("atlsd_appraisals_total", reason="ok") == 2
    assert r.admin.metric("atlsd_verifier_requests_total", reason="ok") == 2
    assert r.admin.metric("atlsd_tpm_requests_total") >= 5
    assert 0 < r.admin.metric("atlsd_tpm_work_seconds_total") < 60
    assert r.admin.metric("process_open_fds") > 5 and r.admin.metric("process_resident_memory_bytes") > 1e6
    assert r.admin.metric("atlsd_insecure_mode") == 0
    # A refusal shows with its reason.
    r.reload(lambda c: c["tunnels"][0].update(peer={"kid": "01" * 33}))
    assert ask(r.port) == b""
    wait_until("refusal", lambda: r.admin.metric("atlsd_connections_failed_total", reason="kid_not_allowed") == 1)
    assert r.admin.metric("atlsd_handshakes_total", reason="kid_not_allowed") == 1
    # Insecure modes are in a metric, and gone with the reload that ends them.
    r.reload(lambda c: c["tunnels"][0].update(require_attestation=False, peer=PKI_ONLY))
    assert r.admin.metric("atlsd_insecure_mode", tunnel="t", mode="unattested") == 1
    assert r.admin.metric("atlsd_insecure_mode", tunnel="t", mode="unauthenticated") == 1
    assert "does not require attestation of its peer, nor any authentication" in r.atlsd.log()
    r.reload(lambda c: c["tunnels"][0].update(require_attestation=True, peer={}))
    assert r.admin.metric("atlsd_insecure_mode") == 0


def subprocess_with_input(arguments, text):
    import subprocess
    return subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_scrapes_do_not_move_the_latency_of_live_traffic(plain):
    _, admin, port = plain()

    def median_us(s):
        times = []
        for _ in range(2000):
            started = time.perf_counter()
            s.sendall(b"q")
            assert s.recv(1) == b"q"
            times.append(time.perf_counter() - started)
        return sorted(times)[1000] * 1e6

    scrapes = []

    def scrape(stopping):
        scrapes.append(admin.get("/metrics"))
        while not stopping.wait(0.05):
            scrapes.append(admin.get("/metrics"))

    with connect(port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        median_us(s)
        alone, scraped = [], []
        for _ in range(5):
            alone.append(median_us(s))
            stopping = threading.Event()
            scraper = threading.Thread(target=scrape, args=(stopping,))
            scraper.start()
            scraped.append(median_us(s))
            stopping.set()
            scraper.join()
    assert len(scrapes) > 5
    # Two cores for client, server, application and scraper: allow for that, not for waiting.
    assert min(scraped) < 1.3 * min(alone) + 30, (alone, scraped)


def test_the_log_of_refused_peers_is_limited_and_says_so(running):
    r = running(ingress={"log": {"format": "json", "refusals_per_second": 1}})
    started = time.monotonic()
    for _ in range(40):
        with contextlib.suppress(OSError), connect(r.pair.ingress_port) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            read_all(s)
    wait_until("all ended", lambda: r.admin.metric("atlsd_connections_closed_total") == 40)
    lines = r.atlsd.connections()
    allowed = 10 + 2 + time.monotonic() - started
    assert 10 <= len(lines) <= allowed and {line["reason"] for line in lines} == {"handshake_failed"}
    assert set(lines[0]) >= {"conn", "tunnel", "role", "src", "dst", "verdict", "bytes_sent", "bytes_recv",
                             "duration_ms", "reason", "detail"}
    # Those who are admitted have their lines, and what was left out is told.
    assert ask(r.port) == b"hello"
    assert r.atlsd.last_connection(len(lines) + 1)["verdict"] == "affirming"
    time.sleep(1.1)
    with contextlib.suppress(OSError), connect(r.pair.ingress_port) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_all(s)
    wait_until("the count", lambda: re.search(r"\d+ lines about peers that were not admitted are left out", r.atlsd.log()))


# what it withstands

def test_running_out_of_descriptors_is_survived(site, tmp_path):
    with Application(echo) as application:
        port = free_ports()
        file = tmp_path / "few.json"
        config = plain_server(tmp_path, site, application, port)
        file.write_text(json.dumps(config | {"threads": 1}))
        with Process(["/bin/sh", "-c", "ulimit -n 64; exec \"$0\" --config \"$1\"", RELEASE / "bin/atlsd", file],
                     tmp_path / "few.log", lambda: is_listening(port)) as few:
            client_port = free_ports()
            with Atlsd(tmp_path, plain_client(client_port, port), "client", RELEASE / "bin"):
                # One after the other: of many at once most are refused before the verdict (half_open).
                held = []
                while "cannot accept: Too many open files" not in few.log():
                    assert len(held) < 100, few.log()
                    held.append(connect(client_port, timeout=1))
                    with contextlib.suppress(OSError):
                        held[-1].sendall(b"x")
                        held[-1].recv(1)
                spent = few.cpu_seconds()
                time.sleep(1)
                assert few.cpu_seconds() - spent < 0.5, "it spins"
                for s in held:
                    s.close()
                wait_until("recovery", lambda: ask(client_port) == b"hello")


def test_a_flapping_verifier_refuses_and_recovers_without_harm(running, site):
    broken = threading.Event()
    with FaultyVerifier(site.verifier, lambda real: None if broken.is_set() else real,
                        new_session=lambda real: None if broken.is_set() else real) as verifier:
        r = running(ingress_verifier={"url": verifier.url, "timeout": "2s"})
        with connect(r.port) as lasting:
            lasting.sendall(b"a")
            assert lasting.recv(1) == b"a"
            for _ in range(3):
                broken.set()
                for _ in range(5):
                    assert ask(r.port) == b""
                broken.clear()
                wait_until("recovery", lambda: ask(r.port) == b"hello")
            lasting.sendall(b"b")
            assert lasting.recv(1) == b"b"
        refused = {line["reason"] for line in r.atlsd.connections() if line["verdict"] == "refused"}
        assert refused == {"verifier_unavailable"}


# the sandbox

def test_the_running_process_may_do_next_to_nothing(site, tmp_path):
    """Tried from inside: a library in the process does, after the start, what an intruder would. Outside
    /tmp, where the tests' own files would be allowed."""
    home = pathlib.Path("/var/lib") / f"atlsd-test-{os.getpid()}"
    home.mkdir()
    try:
        report = home / "report"
        source = home / "intruder.c"
        source.write_text(pathlib.Path(__file__).with_name("intruder.c").read_text())
        made = run("cc", "-shared", "-fPIC", "-o", home / "intruder.so", source)
        assert made.returncode == 0, made.stderr
        port = free_ports()
        file = home / "etc/atlsd.json"
        file.parent.mkdir()
        file.write_text(json.dumps(plain_server(home / "etc", site, type("A", (), {"port": 1}), port)))
        outside = pathlib.Path("/opt") / f"atlsd-secret-{os.getpid()}"
        outside.write_text("secret")
        with Process([RELEASE / "bin/atlsd", "--config", file], tmp_path / "log",
                     lambda: is_listening(port) and "seccomp" in (tmp_path / "log").read_text(),
                     env={**os.environ, "LD_PRELOAD": str(home / "intruder.so"), "INTRUDER_SECRET": str(outside),
                          "INTRUDER_CONFIG": str(file)}) as running:
            assert "Landlock ABI" in running.log()
            wait_until("the intruder's report", lambda: "end\n" in running.log())
            said = dict(re.findall(r"^intruder: (.*) = (\d+)$", running.log(), re.M))
            status = pathlib.Path(f"/proc/{running.popen.pid}/status").read_text()
        eperm, eacces = "1", "13"
        assert said == {"read another file": eacces, "list /root": eacces, "write its configuration": eacces,
                        "make a file in /opt": eacces, "execute a program": eperm, "fork": eperm, "trace": eperm,
                        "kill another": eperm, "mount": eperm, "load a module": eperm, "raw socket": eperm,
                        "read its configuration": "0", "dumpable": "0"}, running.log()
        assert re.search(r"NoNewPrivs:\s1", status) and re.search(r"Seccomp:\s2", status)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert re.search(rf"{kind}:\s0+\n", status), status
        assert not report.exists()
    finally:
        shutil.rmtree(home)
        for left in pathlib.Path("/opt").glob(f"atlsd-*-{os.getpid()}"):
            left.unlink()


def test_no_core_dump_of_secrets(plain):
    server, _, port = plain()
    assert ask(port) == b"hello"
    limits = pathlib.Path(f"/proc/{server.popen.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


# leaks (R16)

def test_nothing_secret_is_written_anywhere(running, site, tmp_path):
    """Log at debug, every admin page, metrics: no key, no Evidence, no Attestation Result, no traffic."""
    certificate, key = site.pki.issue("secret.test")
    r = running(ingress={"log": {"format": "json", "level": "debug"}},
                egress={"identity": {"certificate": str(certificate), "key": str(key)},
                        "log": {"format": "text", "level": "debug"}},
                ingress_tunnel={"attest": True, "peer": {"ca": str(site.pki.ca), "names": ["secret.test"]}},
                egress_tunnel={"require_attestation": True})
    evidence, result = tmp_path / "evidence", tmp_path / "result"
    assert ask(r.port, b"the application's own secret") == b"the application's own secret"
    probe = run(BIN / "atls", "probe", f"127.0.0.1:{r.pair.ingress_port}", "--verifier", site.verifier.url,
                "--result-key", site.verifier.result_key, "--evidence-out", evidence, "--ear-out", result)
    assert evidence.exists(), probe.stdout + probe.stderr
    r.reload()
    written = r.atlsd.log() + r.pair.egress.log()
    written += "".join(r.admin.get(path) for path in ("/status", "/config", "/attestation", "/metrics", "/readyz"))
    der = run("openssl", "pkey", "-in", key, "-text", "-noout").stdout
    private = "".join(re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", der)[1].split()).replace(":", "")
    assert len(private) >= 60
    for secret in (private[:32], "PRIVATE KEY", "the application's own secret", "TRAFFIC_SECRET", "eyJ",
                   evidence.read_bytes()[200:232].hex(), result.read_text()[:24]):
        assert secret.lower() not in written.lower(), secret
    # What a peer may see of it anyway is there.
    assert site.server.kid in written
