"""Verifiers that fail, come back, are several, change their keys, want to know who asks."""
import json
import ssl
import threading
import time

import pytest

from harness import Application, Atlsd, FaultyVerifier, Verifier, ask, connect, free_ports, run, wait_until

REQUIRE = {"require_attestation": True}
ATTEST = {"attest": True, "peer": {"unsafe_unauthenticated": True}}


@pytest.fixture
def client_of(site, pair):
    """A pair whose egress side alone appraises, with these Verifiers."""
    def make(*verifiers, **more):
        return pair(egress={"verifier": list(verifiers), **more}, ingress_tunnel=ATTEST,
                    egress_tunnel=REQUIRE)
    return make


@pytest.fixture
def https(site):
    """A server's ssl.SSLContext for 127.0.0.1, from the site's authority."""
    certificate, key = site.pki.issue("front", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def stalling():
    """Accepts connections and says nothing."""
    return Application(lambda connection: connection.recv(1 << 20) and time.sleep(30))


def dead_url():
    return f"http://127.0.0.1:{free_ports()}"


# Several.

def test_a_dead_verifier_of_two_refuses_nobody(site, client_of):
    p = client_of(site.verifier.settings(url=dead_url()), site.verifier.settings())
    for _ in range(20):
        assert ask(p.egress_port) == b"hello"


def test_a_stalling_verifier_of_two_refuses_nobody_and_is_left_alone_soon(site, client_of):
    with stalling() as silent:
        patience = 2
        p = client_of(
            site.verifier.settings(url=f"http://127.0.0.1:{silent.port}", timeout=f"{patience}s"),
            site.verifier.settings())
        took = []
        for _ in range(6):
            started = time.monotonic()
            assert ask(p.egress_port) == b"hello"
            took.append(time.monotonic() - started)
        # The first one has its time, three times; then its circuit is open.
        assert all(0.8 * patience < t < 1.9 * patience for t in took[:3]), took
        assert sum(t < 0.8 * patience for t in took[3:]) >= 2, took


def test_a_verdict_is_not_shopped_for(site, client_of, tmp_path):
    """Where the first Verifier refuses the peer, the second is not asked."""
    with Verifier(tmp_path / "strict", [site.client]) as strict, \
            FaultyVerifier(site.verifier) as lenient:
        p = client_of(strict.settings(), site.verifier.settings(url=lenient.url))
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection()["reason"] == "ear_not_affirming"
        assert not lenient.requests


# What it says, and when.

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
SECOND_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("before, after", [(HINTS, b""), (3 * HINTS, b""), (b"", SECOND_ANSWER), (b"", b"\r\nbehind the body")],
                         ids=["early-hints", "several-hints", "second-answer", "bytes-after-the-body"])
def test_answers_stay_in_step(site, client_of, https, before, after, over_tls):
    """Whatever comes with an answer, that answer counts, and so do all later ones (R21)."""
    with FaultyVerifier(site.verifier, tls=https if over_tls else None) as verifier:
        p = client_of(site.verifier.settings(url=verifier.url, ca=str(site.pki.ca)))
        assert ask(p.egress_port) == b"hello"
        verifier.before, verifier.after = before, after
        assert ask(p.egress_port) == b"hello"
        verifier.before = verifier.after = b""
        for _ in range(3):
            assert ask(p.egress_port) == b"hello"


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
def test_what_comes_on_an_idle_connection_is_no_answer(site, client_of, https, over_tls):
    """A second answer long after the first: the connection is not used again (R21)."""
    sent = threading.Event()

    with FaultyVerifier(site.verifier, tls=https if over_tls else None) as verifier:
        p = client_of(site.verifier.settings(url=verifier.url, ca=str(site.pki.ca)))
        verifier.stray = lambda handler: "/session/" in handler.path and (
            time.sleep(0.2), handler.wfile.write(SECOND_ANSWER), sent.set())
        assert ask(p.egress_port) == b"hello"
        assert sent.wait(15)
        verifier.stray = None
        opened = verifier.connections
        for _ in range(3):
            assert ask(p.egress_port) == b"hello"
        assert verifier.connections == opened + 1


def test_readiness_is_what_the_verifier_says_of_itself(site, client_of, tmp_path):
    """Asked over a connection of its own, which cannot bring appraisals out of step (R21)."""
    def readiness():
        return run("curl", "-s", "--unix-socket", tmp_path / "admin.sock", "http://atlsd/readyz").stdout

    def says(state):
        def change(real):
            document = json.loads(real[2])
            document["service-state"] = state
            return real[0], real[1], json.dumps(document).encode()
        return change

    with FaultyVerifier(site.verifier) as verifier:
        p = client_of(site.verifier.settings(url=verifier.url), admin={"listen": f"unix:{tmp_path}/admin.sock"})
        wait_until("ready", lambda: readiness() == "ok\n")
        for answer, told in ((says("INITIALIZING"), 'service-state is "INITIALIZING"'),
                             (lambda real: (404, {}, b""), "status 404"),
                             (lambda real: (200, {}, b"<html>"), "verifier_protocol")):
            verifier.discovery = answer
            wait_until(told, lambda: told in readiness())
            assert ask(p.egress_port) == b"hello"
        verifier.discovery = lambda real: real
        wait_until("ready again", lambda: readiness() == "ok\n")


# Going and coming.

def test_a_verifier_that_comes_back_is_used_within_seconds(site, client_of, tmp_path):
    port = free_ports()
    with Verifier(tmp_path / "v", [site.server], port=port) as first:
        p = client_of(first.settings())
        started = time.monotonic()
        assert ask(p.egress_port) == b"hello"
        admitted = time.monotonic() - started
        live = connect(p.egress_port)
        live.sendall(b"before")
        assert live.recv(6) == b"before"
    # Gone: refused at once, and what has been admitted is untouched.
    for count in range(10):
        started = time.monotonic()
        assert ask(p.egress_port) == b""
        assert time.monotonic() - started < 3 * admitted + 0.5
        wait_until("the log's line", lambda: len(p.egress.connections()) == count + 2)
        assert p.egress.connections()[-1]["reason"] == "verifier_unavailable"
    live.sendall(b"during")
    assert live.recv(6) == b"during"
    assert "resting" in p.egress.connections()[-1]["detail"]
    with Verifier(tmp_path / "v", [site.server], port=port):
        wait_until("recovery", lambda: ask(p.egress_port) == b"hello", 4)
        live.sendall(b"after!")
        assert live.recv(6) == b"after!"
    live.close()


def test_bad_evidence_does_not_open_the_circuit(site, client_of, pair):
    """Whatever the Verifier answers to a peer's Evidence, other peers are still appraised."""
    refusing = {"now": True}

    def answer(real):
        return (500, {}, b"") if refusing["now"] else real

    with FaultyVerifier(site.verifier, answer) as faulty:
        p = client_of(site.verifier.settings(url=faulty.url))
        for _ in range(6):
            assert ask(p.egress_port) == b""
        refusing["now"] = False
        assert ask(p.egress_port) == b"hello"


# Its key.

def test_the_key_is_discovered_and_rotated(site, client_of, https, tmp_path):
    with Verifier(tmp_path / "new", [site.server]) as new, \
            FaultyVerifier(site.verifier, tls=https) as front:
        p = client_of({"url": front.url, "ca": str(site.pki.ca), "retired_key_grace": "4s"})
        assert ask(p.egress_port) == b"hello"
        assert [path for _, path, _ in front.requests].count("/.well-known/veraison/verification") == 1
        # It signs with another key now, and says so.
        front.genuine = front.discovery_of = new
        time.sleep(1.1)
        assert ask(p.egress_port) == b"hello"
        # A result of the old key still counts, for a while.
        front.genuine = site.verifier
        assert ask(p.egress_port) == b"hello"
        time.sleep(4)
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection(4)["reason"] == "ear_signature"
        front.genuine = new
        assert ask(p.egress_port) == b"hello"


def test_pinned_keys_are_rotated_without_an_outage(site, client_of, tmp_path):
    """The next key is added to the configuration before the Verifier changes to it."""
    with Verifier(tmp_path / "new", [site.server]) as new, FaultyVerifier(site.verifier) as front:
        both = tmp_path / "keys.json"
        keys = [json.loads(verifier.result_key.read_text()) for verifier in (site.verifier, new)]
        both.write_text(json.dumps({"keys": keys}))
        for keys in (str(both), [str(site.verifier.result_key), str(new.result_key)]):
            front.genuine = site.verifier
            p = client_of({"url": front.url, "result_key": keys})
            assert ask(p.egress_port) == b"hello"
            front.genuine = new
            assert ask(p.egress_port) == b"hello"
            p.__exit__()


@pytest.mark.parametrize("curve, algorithm", [("P-521", "ES512"), ("ED25519", "EdDSA")])
def test_results_of_each_algorithm(site, client_of, tmp_path, curve, algorithm):
    key = tmp_path / "key.pem"
    kind = ["-algorithm", "ED25519"] if curve == "ED25519" else \
        ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"]
    assert run("openssl", "genpkey", *kind, "-out", key).returncode == 0
    with Verifier(tmp_path / "v", [site.server], key=key) as verifier:
        p = client_of(verifier.settings())
        assert ask(p.egress_port) == b"hello"


def test_a_discovered_key_that_is_not_supported_says_so(site, client_of, https):
    def old_fashioned(real):
        document = json.loads(real[2])
        document["ear-verification-key"] = {"kty": "RSA", "alg": "RS256", "e": "AQAB", "n": "q" * 341 + "g"}
        return real[0], real[1], json.dumps(document).encode()

    with FaultyVerifier(site.verifier, tls=https) as front:
        front.discovery = old_fashioned
        p = client_of({"url": front.url, "ca": str(site.pki.ca)})
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection()
        assert line["reason"] == "verifier_protocol"
        assert 'found kty "RSA", alg "RS256"; expected ES256' in line["detail"]


def test_a_verifier_without_discovery_of_its_key(site, client_of, https):
    front = FaultyVerifier(site.verifier, tls=https)

    class Nothing:
        with Application(lambda connection: connection.close()) as dead:
            port = dead.port

    with front:
        front.discovery_of = Nothing
        p = client_of({"url": front.url, "ca": str(site.pki.ca)})
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection()["reason"] == "verifier_unavailable"


def test_discovery_is_not_believed_over_http(site, tmp_path):
    with pytest.raises(AssertionError) as refused:
        Atlsd(tmp_path, {"verifier": {"url": site.verifier.url}, "tunnels": [
            {"name": "t", "role": "egress", "listen": f"127.0.0.1:{free_ports()}",
             "target": "127.0.0.1:1", **REQUIRE}]})
    assert "believed over https only" in str(refused.value)


# Who asks.

def test_authorization_and_client_certificate(site, client_of, https, tmp_path):
    https.verify_mode = ssl.CERT_REQUIRED
    https.load_verify_locations(site.pki.ca)
    certificate, key = site.pki.issue("relying-party")
    secret = tmp_path / "authorization"
    secret.write_text("Bearer of good news\n")
    with FaultyVerifier(site.verifier, tls=https) as front:
        known = {**site.verifier.settings(), "url": front.url, "ca": str(site.pki.ca),
                 "certificate": str(certificate), "key": str(key),
                 "authorization_file": str(secret)}
        p = client_of(known)
        assert ask(p.egress_port) == b"hello"
        assert {headers["Authorization"] for _, _, headers in front.requests} == {"Bearer of good news"}
        p.__exit__()
        assert "good news" not in p.egress.log()
        unknown = {k: v for k, v in known.items() if k not in ("certificate", "key")}
        p = client_of(unknown)
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection()["reason"] == "verifier_unavailable"


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
