"""atls-verifier as a program: its files, its signals, what strangers cannot do to it."""
import contextlib
import http.client
import json
import shutil
import signal
import socket
import ssl

import pytest

from harness import (BIN, MEDIA_TYPE, PATIENCE, RELEASE, Verifier, ask, connect, free_ports, resident_kib, run,
                     wait_until)

ATTEST = {"attest": True, "peer": {"unsafe_unauthenticated": True}}


@pytest.fixture
def known_later(site, pair, tmp_path):
    """A Verifier that knows nobody yet, and a pair whose egress side asks it."""
    with Verifier(tmp_path / "v", []) as verifier:
        verifier.endorsements = tmp_path / "v/endorsements"
        p = pair(egress_verifier=verifier.settings(), ingress_tunnel=ATTEST,
                 egress_tunnel={"require_attestation": True})
        yield verifier, p


def reloads(verifier):
    return verifier.log().count("reloaded (")


def endorse(verifier, machine):
    """Both files, one after the other."""
    for file in ("trust-anchor.cbor", "reference-values.cbor"):
        shutil.copy(machine.state / file, verifier.endorsements / file)


def test_endorsements_are_read_when_they_change(site, known_later):
    verifier, p = known_later
    assert "holds no trust anchor, all Evidence will be refused" in verifier.log()
    assert ask(p.egress_port) == b""
    assert p.egress.last_connection()["reason"] == "ear_not_affirming"
    endorse(verifier, site.server)
    wait_until("the reload", lambda: "1 trust anchors, 1 sets" in verifier.log())
    assert ask(p.egress_port) == b"hello"
    # A machine that is taken out again.
    known = reloads(verifier)
    (verifier.endorsements / "trust-anchor.cbor").unlink()
    wait_until("the reload", lambda: reloads(verifier) > known)
    assert ask(p.egress_port) == b""
    assert verifier.log().count("holds no trust anchor") == 2


def test_a_bad_file_leaves_what_is_known(site, known_later):
    verifier, p = known_later
    endorse(verifier, site.server)
    wait_until("the reload", lambda: "1 trust anchors, 1 sets" in verifier.log())
    known = reloads(verifier)
    (verifier.endorsements / "bad.cbor").write_bytes(b"rubbish")
    wait_until("the complaint", lambda: "goes on with what it has" in verifier.log())
    assert str(verifier.endorsements / "bad.cbor") in verifier.log()
    assert ask(p.egress_port) == b"hello"
    (verifier.endorsements / "bad.cbor").unlink()
    wait_until("the reload", lambda: reloads(verifier) > known)
    assert ask(p.egress_port) == b"hello"


def test_a_hangup_reloads(known_later):
    verifier, _ = known_later
    for count in (1, 2):
        verifier.popen.send_signal(signal.SIGHUP)
        wait_until("the reload", lambda: verifier.log().count("reloaded (SIGHUP)") == count)
    assert verifier.popen.poll() is None


def test_another_result_key_is_published_and_used(site, tmp_path):
    with Verifier(tmp_path / "v", []) as verifier:
        before = verifier.result_key.read_text()
        made = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384",
                   "-out", verifier.key)
        assert made.returncode == 0, made.stderr
        wait_until("the reload", lambda: reloads(verifier) == 1)
        published = json.loads(verifier.result_key.read_text())
        assert json.loads(before)["alg"] == "ES256" and published["alg"] == "ES384"
        assert discovery(verifier)["ear-verification-key"] == published


def test_another_certificate_is_used_for_connections_from_then_on(site, tmp_path):
    certificate, key = site.pki.issue("old-front", "IP:127.0.0.1")
    files = tmp_path / "tls.pem", tmp_path / "tls.key"
    shutil.copy(certificate, files[0])
    shutil.copy(key, files[1])

    def name():
        context = ssl.create_default_context(cafile=str(site.pki.ca))
        with connect(verifier.port) as s, context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
            return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]

    with Verifier(tmp_path / "v", [], tls=files) as verifier:
        assert name() == "old-front"
        certificate, key = site.pki.issue("new-front", "IP:127.0.0.1")
        shutil.copy(certificate, files[0])
        shutil.copy(key, files[1])
        wait_until("the new certificate", lambda: name() == "new-front")
        files[1].write_text("rubbish")
        wait_until("the complaint", lambda: "goes on with what it has" in verifier.log())
        assert name() == "new-front"


def discovery(verifier):
    connection = http.client.HTTPConnection("127.0.0.1", verifier.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/.well-known/veraison/verification")
        return json.loads(connection.getresponse().read())


def test_what_strangers_post_does_not_stay(tmp_path):
    with Verifier(tmp_path / "v", [], binaries=RELEASE / "bin") as verifier:
        connection = http.client.HTTPConnection("127.0.0.1", verifier.port, timeout=PATIENCE)

        def post(path, body=b""):
            connection.request("POST", "/challenge-response/v1/" + path, body, {"Content-Type": MEDIA_TYPE})
            answer = connection.getresponse()
            answer.read()
            return answer

        def submit(size):
            return post(post("newSession").headers["Location"], b"x" * size).status

        assert submit(64 * 1024) == 200
        before = resident_kib(verifier)
        assert {submit(64 * 1024) for _ in range(600)} == {200}
        assert resident_kib(verifier) - before < 8 * 1024
        assert submit(64 * 1024 + 1) == 413
        connection.close()


def test_silent_connections_shut_nobody_out_for_long(tmp_path):
    with Verifier(tmp_path / "v", [], binaries=RELEASE / "bin") as verifier, contextlib.ExitStack() as held:
        for _ in range(600):
            held.enter_context(connect(verifier.port))
        assert discovery(verifier)["service-state"] == "READY"


@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
def test_no_plain_http_beyond_loopback_unless_spelled_out(site, tmp_path, listen):
    (tmp_path / "endorsements").mkdir()
    port = free_ports()
    arguments = [BIN / "atls-verifier", "--listen", f"{listen}:{port}", "--endorsements", tmp_path / "endorsements",
                 "--result-key", tmp_path / "result.pem"]
    refused = run(*arguments)
    assert refused.returncode == 1 and "config_invalid" in refused.stderr and "--unsafe-plaintext" in refused.stderr
    certificate, key = site.pki.issue("front", "IP:127.0.0.1")
    for options in (["--unsafe-plaintext"], ["--tls-certificate", certificate, "--tls-key", key]):
        # Past the check: it is the second one on this port.
        with socket.create_server((listen.strip("[]"), port),
                                  family=socket.AF_INET6 if "[" in listen else socket.AF_INET):
            assert "in use" in run(*arguments, *options).stderr
    assert run(*arguments, "--tls-certificate", certificate).returncode != 0


def test_the_service_manager_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        with Verifier(tmp_path / "v", [], env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as verifier:
            assert manager.recv(100) == b"READY=1"
            verifier.popen.send_signal(signal.SIGHUP)
            assert [manager.recv(100) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
        assert manager.recv(100) == b"STOPPING=1"
