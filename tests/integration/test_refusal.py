"""Every way in which a peer, a Verifier or somebody between them is refused, and the reason given."""
import json
import signal
import socket
import threading
import time

import pytest
from harness import (BIN, PATIENCE, RELEASE, Atlsd, FaultyVerifier, Machine, Process, Verifier, ask,
                     connect, free_ports, is_listening, run, wait_until)

REQUIRE = {"require_attestation": True}
ATTEST_TO_ANYBODY = {"attest": True, "peer": {"unsafe_unauthenticated": True}}


def refused(p, reason, side="egress"):
    """Nothing comes back, nothing reached the application, and the log says why."""
    assert ask(p.egress_port) == b""
    line = getattr(p, side).last_connection()
    assert line["reason"] == reason, line
    assert line["verdict"] == "refused"
    assert line["bytes_sent"] == line["bytes_recv"] == 0
    assert p.application.accepted == 0
    p.__exit__()
    return line


# The Verifier.

def test_verifier_down(pair):
    refused(pair(egress_verifier={"url": f"http://127.0.0.1:{free_ports()}"}), "verifier_unavailable")


def test_verifier_down_for_the_server(pair):
    refused(pair(ingress_verifier={"url": f"http://127.0.0.1:{free_ports()}"}),
            "verifier_unavailable", "ingress")


def test_verifier_slow(site, pair):
    refused_already = threading.Event()
    with FaultyVerifier(site.verifier, lambda answer: refused_already.wait(PATIENCE) and answer) as slow:
        refused(pair(egress_verifier={"url": slow.url, "timeout": "500ms"}), "verifier_timeout")
        refused_already.set()


def lie(change):
    """The session document with a change."""
    def answer(real):
        status, headers, body = real
        document = json.loads(body)
        change(document)
        return status, headers, json.dumps(document).encode()
    return answer


def flip_signature(document):
    result = document["result"]
    document["result"] = result[:-8] + ("A" if result[-8] != "A" else "B") + result[-7:]


@pytest.mark.parametrize("answer, reason", [
    (lambda real: (200, {"Content-Type": "text/html"}, b"<html>"), "verifier_protocol"),
    (lambda real: (500, {"Content-Type": "application/problem+json"}, b'{"detail":"no"}'),
     "verifier_unavailable"),
    (lambda real: (404, {}, b""), "verifier_rejected"),
    (lambda real: None, "verifier_unavailable"),
    (lambda real: (200, {**real[1], "Claimed-Length": len(real[2]) + 9}, real[2]),
     "verifier_timeout"),
    (lambda real: (200, real[1], b" " * (10 << 20)), "verifier_protocol"),
    (lie(lambda d: d.update(status="failed")), "verifier_rejected"),
    (lie(lambda d: d.update(result="a.b.c")), "ear_malformed"),
    (lie(lambda d: d.update(result=d["result"] + ".x")), "ear_malformed"),
    (lie(flip_signature), "ear_signature"),
], ids=["rubbish", "error", "not-found", "reset", "truncated", "ten-megabytes", "failed",
        "no-token", "four-segments", "forged"])
def test_verifier_answers(site, pair, answer, reason):
    with FaultyVerifier(site.verifier, answer) as faulty:
        refused(pair(egress_verifier={"url": faulty.url, "timeout": "1s"}), reason)


@pytest.mark.parametrize("change, reason", [
    (lambda d: d.update(nonce="AAAA"), "verifier_nonce"),
    (lambda d: d.update(accept=["application/eat+cwt"]), "verifier_evidence_type"),
    (lambda d: d.pop("accept"), "verifier_protocol"),
], ids=["nonce", "evidence-type", "no-list"])
def test_verifier_opens_another_session(site, pair, change, reason):
    with FaultyVerifier(site.verifier, new_session=lie(change)) as faulty:
        refused(pair(egress_verifier={"url": faulty.url}), reason)


def test_verifier_overloaded(site, pair):
    """One appraisal at a time and no queue: the second is refused at once."""
    second_refused = threading.Event()
    with FaultyVerifier(site.verifier, lambda real: second_refused.wait(PATIENCE) and real) as slow:
        p = pair(egress_verifier={"url": slow.url, "max_concurrent": 1, "max_waiting": 0},
                 ingress_tunnel=ATTEST_TO_ANYBODY, egress_tunnel=REQUIRE)
        answers = []
        first = threading.Thread(target=lambda: answers.append(ask(p.egress_port)))
        first.start()
        wait_until("the first appraisal", lambda: slow.requests)
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection()["reason"] == "verifier_overloaded"
        second_refused.set()
        first.join()
        assert answers == [b"hello"]


def test_verifier_takes_its_time(site, pair):
    """202 and "processing" at first; the session is polled until it is complete."""
    def hasty(real):
        document = json.loads(real[2])
        if document["status"] == "complete" and len(slow.requests) < 4:
            document["status"] = "processing"
            document.pop("result")
            return 202, real[1], json.dumps(document).encode()
        return real

    with FaultyVerifier(site.verifier, hasty) as slow:
        p = pair(egress_verifier={"url": slow.url}, ingress_tunnel=ATTEST_TO_ANYBODY,
                 egress_tunnel=REQUIRE)
        assert ask(p.egress_port) == b"hello"
        assert [method for method, _, _ in slow.requests] == ["POST", "POST", "GET", "GET"]


def test_verifier_signs_with_another_key(site, pair, tmp_path):
    with Verifier(tmp_path / "other", [site.server, site.client]) as other:
        p = pair(egress_verifier={"url": other.url})  # its key is not the configured one
        refused(p, "ear_signature")


def test_verdict_of_another_handshake(site, pair):
    """One Attestation Result serves one handshake (R3)."""
    kept = []

    def replay(document):
        kept.append(document["result"])
        document["result"] = kept[0]

    with FaultyVerifier(site.verifier, lie(replay)) as faulty:
        p = pair(egress_verifier={"url": faulty.url})
        assert ask(p.egress_port) == b"hello"
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection(2)["reason"] in ("ear_nonce",)


def test_verifier_over_https(site, pair, tmp_path):
    """Trusted for its authority and its address; refused without either, and a subject is no name."""
    good = site.pki.issue("verifier", "IP:127.0.0.1")
    misnamed = site.pki.issue("verifier.test")
    nameless = site.pki.issue("localhost", "")
    both = [site.server, site.client]
    with Verifier(tmp_path / "good", both, tls=good) as https, \
            Verifier(tmp_path / "misnamed", both, tls=misnamed) as other, \
            Verifier(tmp_path / "nameless", both, tls=nameless) as third:
        trusted = {**https.settings(), "ca": str(site.pki.ca)}
        p = pair(egress_verifier=trusted)
        assert ask(p.egress_port) == b"hello"
        p.__exit__()
        by_subject = {"url": third.url.replace("127.0.0.1", "localhost"),
                      "result_key": str(third.result_key)}
        for untrusted in (https.settings(), {**other.settings(), "ca": str(site.pki.ca)},
                          {**by_subject, "ca": str(site.pki.ca)}):
            refused(pair(egress_verifier=untrusted), "verifier_unavailable")


def test_clock_off(site, pair, tmp_path):
    env = {"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": "-10m"}
    with Verifier(tmp_path / "late", [site.server], env=env, binaries=RELEASE / "bin") as late:
        line = refused(pair(egress_verifier=late.settings()), "ear_stale")
        assert "are both clocks right?" in line["detail"]


# The platform.

@pytest.fixture
def other_machine(tmp_path):
    machine = Machine(tmp_path / "other-machine")
    yield machine
    machine.stop()


def test_pcr_changed(site, pair, other_machine, tmp_path):
    with Verifier(tmp_path / "v", [other_machine, site.client]) as verifier:
        p = pair(server=other_machine, ingress_verifier=verifier.settings(),
                 egress_verifier=verifier.settings())
        assert ask(p.egress_port) == b"hello"
        other_machine.extend(3)
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection(2)
        assert line["reason"] == "ear_not_affirming"
        assert "PCRs match no reference values" in line["detail"]
        assert p.application.accepted == 1


@pytest.mark.parametrize("changed", ["document", "file that it names"])
def test_a_changed_configuration_is_another_platform(site, tmp_path, changed):
    """R8: program and configuration are measured into a PCR before the first handshake."""
    result_key = tmp_path / "result.pub"
    result_key.write_bytes(site.verifier.result_key.read_bytes())
    pcrs = "sha256:0,1,2,3,4,5,6,7,9,14"
    machine = Machine(tmp_path / "machine", pcrs=pcrs)
    identity = machine.identity()
    identity["tpm"]["measure_into"] = 14
    port = free_ports()

    def start(name, **change):
        trusted = {"url": site.verifier.url, "result_key": str(result_key)}
        return Atlsd(tmp_path, {"identity": identity, "verifier": trusted, "tunnels": [{
            "name": "t", "role": "ingress", "listen": f"127.0.0.1:{port}", "target": "127.0.0.1:1",
            **ATTEST_TO_ANYBODY, **change}]}, name)

    def reason():
        done = run(BIN / "atls", "probe", f"127.0.0.1:{port}", "--json", "--pcrs", pcrs,
                   "--verifier", verifier.url, "--result-key", verifier.result_key)
        return json.loads(done.stdout).get("reason")

    try:
        start("first").stop()
        endorsed = run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", machine.state,
                       "--pcrs", pcrs)
        assert endorsed.returncode == 0, endorsed.stderr
        with Verifier(tmp_path / "v", [machine], required=pcrs) as verifier:
            with start("first"):
                assert reason() is None
            with start("first") as again:
                assert reason() is None
                assert "was measured into PCR" not in again.log()
            before = result_key.read_text()
            if changed != "document":
                result_key.write_text(before + "\n")
            with start("changed", **({"groups": "P-256"} if changed == "document" else {})) as other:
                assert reason() == "ear_not_affirming"
                assert "was measured into PCR 14 before this one" in other.log()
            result_key.write_text(before)
            # Going back does not undo it; only a boot does.
            with start("first"):
                assert reason() == "ear_not_affirming"
    finally:
        machine.stop()


def test_attestation_key_unknown(pair, other_machine):
    line = refused(pair(server=other_machine), "ear_not_affirming")
    assert "no trust anchor" in line["detail"]


def test_attestation_key_of_the_client_unknown(pair, other_machine):
    line = refused(pair(client=other_machine), "ear_not_affirming", "ingress")
    assert "no trust anchor" in line["detail"]


def test_required_pcr_not_quoted(pair, site):
    p = pair(egress={"policy": {"pcrs": "sha256:0,1,2,3,4,5,6,7,9,14"}})
    refused(p, "pat_pcrs_missing")


def test_another_machine_than_the_pinned_one(pair, site):
    """A twin: same PCRs, known to the Verifier, another AK (R2)."""
    p = pair(egress_tunnel={"attest": True, "require_attestation": True,
                            "peer": {"kid": site.client.kid}})
    refused(p, "kid_not_allowed")


def test_another_name_than_the_configured_one(pair, site):
    p = pair(ingress={"identity": site.server.identity(certificate=str(site.server_certificate))},
             ingress_tunnel=ATTEST_TO_ANYBODY,
             egress_tunnel={**REQUIRE, "peer": {"ca": str(site.pki.ca), "names": ["bank.test"]}})
    refused(p, "pki_name_mismatch")


def test_certificate_of_another_authority(pair, site):
    p = pair(ingress_tunnel=ATTEST_TO_ANYBODY,
             egress_tunnel={**REQUIRE, "peer": {"ca": str(site.pki.ca), "names": ["server.test"]}})
    refused(p, "pki_untrusted")


# Peers that do not attest.

def test_server_does_not_attest(pair):
    refused(pair(ingress_tunnel={"peer": {"unsafe_unauthenticated": True}}, egress_tunnel=REQUIRE),
            "peer_not_attested")


def test_client_does_not_attest(pair):
    p = pair(egress_tunnel=REQUIRE)
    assert ask(p.egress_port) == b""
    assert p.ingress.last_connection()["reason"] == "peer_not_attested"
    assert p.application.accepted == 0


def openssl_client(port, *options):
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", *options)


def test_plain_client(pair):
    p = pair()
    for count, version in enumerate(["-tls1_3", "-tls1_2"], 1):
        openssl_client(p.ingress_port, version)
        line = p.ingress.last_connection(count)
        assert line["verdict"] == "refused"
        assert line["reason"] == ("peer_not_attested" if version == "-tls1_3" else "handshake_failed")
    assert p.application.accepted == 0


def test_plain_client_with_a_certificate(pair, site):
    p = pair()
    certificate, key = site.pki.issue("plain.test")
    openssl_client(p.ingress_port, "-cert", certificate, "-key", key)
    assert p.ingress.last_connection()["reason"] == "peer_not_attested"


@pytest.mark.parametrize("version, reason", [("-tls1_3", "peer_not_attested"),
                                             ("-tls1_2", "handshake_failed")])
def test_plain_server(site, pair, tmp_path, version, reason):
    p = pair()
    p.ingress.stop()
    certificate, key = site.pki.issue("server.plain.test")
    with Process(["openssl", "s_server", "-accept", f"127.0.0.1:{p.ingress_port}", "-cert",
                  certificate, "-key", key, version, "-www"], tmp_path / "s_server.log",
                 lambda: is_listening(p.ingress_port)) as server:
        assert ask(p.egress_port) == b""
        assert p.egress.last_connection()["reason"] == reason
        server.expected_exit = (-signal.SIGTERM,)


def test_peer_that_speaks_no_tls(pair, tmp_path):
    p = pair()
    assert ask(p.ingress_port, b"GET / HTTP/1.0\r\n\r\n") != b"hello"
    assert p.ingress.last_connection()["reason"] == "handshake_failed"
    assert p.application.accepted == 0


# Peers that lie. rogue-peer exits with 0 only if its bytes passed.

def rogue(*arguments):
    return run(RELEASE / "bin/rogue-peer", *arguments)


@pytest.mark.parametrize("lie, reason", [("echo", "kat_nonce_mismatch"),
                                         ("reflect", "reflected_key")])
def test_our_own_evidence_sent_back(pair, lie, reason):
    """echo: under the sender's own key; reflect: under our certificate."""
    p = pair()
    done = rogue(lie, p.ingress_port)
    assert done.returncode == 1, done.stdout
    assert p.ingress.last_connection()["reason"] == reason
    assert p.application.accepted == 0


@pytest.mark.parametrize("mode, reason", [("divert", "kat_nonce_mismatch"),
                                          ("mute", "peer_not_attested")])
def test_lying_server(site, pair, tmp_path, mode, reason):
    """divert: genuine certificate and Evidence of another, live handshake (R1)."""
    p = pair()
    listen, front = free_ports(), free_ports()
    genuine = [p.ingress_port] if mode == "divert" else []
    p.egress.stop()
    with Process([RELEASE / "bin/rogue-peer", mode, listen, *genuine], tmp_path / "rogue.log",
                 lambda: is_listening(listen)) as liar, \
            Atlsd(tmp_path, {"identity": site.client.identity(),
                             "verifier": site.verifier.settings(),
                             "tunnels": [{"name": "t", "role": "egress",
                                          "listen": f"127.0.0.1:{front}",
                                          "target": f"127.0.0.1:{listen}",
                                          "attest": True, "require_attestation": True}]},
                  "victim") as victim:
        assert ask(front) == b""
        assert victim.last_connection()["reason"] == reason
        assert liar.popen.wait(10) == 1, liar.log()
        liar.expected_exit = (1,)
    assert p.application.accepted == 0


# No byte before the verdict.

@pytest.mark.parametrize("side", ["egress", "ingress"])
def test_no_application_byte_before_the_verdict(site, pair, side):
    """The Verifier of one side holds its verdict back; data is already on its way."""
    verdict = threading.Event()
    seen = []

    def held(answer):
        verdict.wait(PATIENCE)
        return answer

    def application(connection):
        connection.sendall(b"eager")
        while data := connection.recv(100):
            seen.append(data)
            connection.sendall(data)

    with FaultyVerifier(site.verifier, held) as stalled:
        p = pair(application, **{f"{side}_verifier": {"url": stalled.url, "timeout": "30s"}})
        with connect(p.egress_port) as s:
            s.sendall(b"pipelined")
            wait_until("the appraisal", lambda: len(stalled.requests) >= 2)
            s.settimeout(0.5)
            with pytest.raises(socket.timeout):
                s.recv(1)
            assert p.application.accepted == 0
            assert seen == []
            verdict.set()
            s.settimeout(PATIENCE)
            assert s.recv(5) == b"eager"
            assert s.recv(9) == b"pipelined"
        assert b"".join(seen) == b"pipelined"


@pytest.mark.parametrize("side", ["egress", "ingress"])
def test_no_application_byte_after_a_bad_verdict(site, pair, side):
    def bad(answer):
        time.sleep(0.3)
        return lie(flip_signature)(answer)

    with FaultyVerifier(site.verifier, bad) as liar:
        p = pair(**{f"{side}_verifier": {"url": liar.url}})
        with connect(p.egress_port) as s:
            s.sendall(b"pipelined")
            s.shutdown(socket.SHUT_WR)
            try:
                assert s.recv(1) == b""
            except ConnectionError:
                pass
        assert getattr(p, side).last_connection()["reason"] == "ear_signature"
        assert p.application.accepted == 0


def test_handshake_deadline(site, pair):
    hold = threading.Event()
    with FaultyVerifier(site.verifier, lambda answer: hold.wait(PATIENCE) and answer) as stalled:
        p = pair(egress_verifier={"url": stalled.url, "timeout": "20s"},
                 egress_tunnel={"attest": True, "require_attestation": True,
                                "timeouts": {"handshake": "400ms"}})
        refused(p, "handshake_timeout")
        hold.set()


def test_silent_client_is_dropped(pair):
    p = pair(ingress_tunnel={"attest": True, "require_attestation": True,
                             "timeouts": {"handshake": "300ms"}})
    with connect(p.ingress_port) as s:
        assert s.recv(1) == b""
    assert p.ingress.last_connection()["reason"] == "handshake_timeout"


def test_stopping_with_a_handshake_suspended(site, pair):
    hold = threading.Event()
    with FaultyVerifier(site.verifier, lambda answer: hold.wait(PATIENCE) and answer) as stalled:
        p = pair(egress_verifier={"url": stalled.url, "timeout": "20s"},
                 egress={"shutdown_timeout": "100ms"})
        with connect(p.egress_port) as s:
            wait_until("the appraisal", lambda: len(stalled.requests) >= 2)
            assert p.egress.stop() == 1  # cut, not crashed
            assert p.egress.last_connection()["reason"] == "shutting_down"
        hold.set()
