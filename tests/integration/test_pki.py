"""Peers with certificates: their names, their revocation, their end. Without attestation."""
import contextlib
import itertools
import os
import time

import pytest

from harness import Application, Atlsd, Pki, ask, connect, echo, free_ports, run, wait_until


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki") / "pki")


def identity_of(issued):
    return {"identity": {"certificate": str(issued[0]), "key": str(issued[1])}}


@pytest.fixture
def ways(pki, tmp_path):
    """Starts an ingress with a certificate and an egress that judges it; `peer` is added to whom the
    egress expects."""
    numbers = itertools.count(1)
    with contextlib.ExitStack() as running:
        def start(certificate, **peer):
            class Ways:
                pass

            made = Ways()
            directory = tmp_path / f"ways{next(numbers)}"
            made.application = running.enter_context(Application(echo))
            made.ingress_port, made.port = free_ports(), free_ports()
            made.ingress = running.enter_context(Atlsd(directory, {
                **identity_of(certificate), "tunnels": [{
                    "name": "in", "role": "ingress", "listen": f"127.0.0.1:{made.ingress_port}",
                    "target": f"127.0.0.1:{made.application.port}",
                    "peer": {"unsafe_unauthenticated": True}}]}, "ingress"))
            made.egress = running.enter_context(Atlsd(directory, {"tunnels": [{
                "name": "out", "role": "egress", "listen": f"127.0.0.1:{made.port}",
                "target": f"127.0.0.1:{made.ingress_port}",
                "peer": {"ca": str(pki.ca), "names": ["server.test"], **peer}}]}, "egress"))
            return made

        yield start


def refused(made, reason, count=1):
    assert ask(made.port) == b""
    line = made.egress.last_connection(count)
    assert line["reason"] == reason
    return line


@pytest.mark.parametrize("alternative", ["", "URI:spiffe://server.test/x", "IP:127.0.0.1"],
                         ids=["no name", "a URI", "an address"])
def test_the_subject_is_no_name(pki, ways, alternative):
    made = ways(pki.issue("server.test", alternative))
    refused(made, "pki_name_mismatch")


def test_a_revoked_peer_is_refused_and_cut_off(pki, ways):
    """The file of revocation lists is watched like any other."""
    certificate = pki.issue("server.test")
    crl = pki.revoke()
    made = ways(certificate, crl=str(crl))
    assert ask(made.port) == b"hello"
    with connect(made.port) as live:
        live.sendall(b"x")
        assert live.recv(1) == b"x"
        pki.revoke(certificate[0])
        with pytest.raises(ConnectionResetError):
            live.recv(1)
    line = made.egress.last_connection(2)
    assert line["reason"] == "pki_revoked" and "after a change of the configuration" in line["detail"]
    refused(made, "pki_revoked", 3)


def test_a_late_revocation_list_refuses_everybody_and_says_so(pki, ways):
    made = ways(pki.issue("server.test"), crl=[str(pki.revoke(age=7200))])
    assert "a revocation list (peer.crl) has expired at" in made.egress.log()
    assert "CRL has expired" in refused(made, "pki_untrusted")["detail"]
    pki.revoke()
    wait_until("reload", lambda: "reloaded" in made.egress.log())
    assert ask(made.port) == b"hello"


def test_a_connection_ends_with_its_peers_certificate(pki, ways):
    lives = 8
    expires = time.time() + lives
    made = ways(pki.issue("server.test", lives=lives))
    with connect(made.port) as live:
        live.sendall(b"x")
        assert live.recv(1) == b"x"
        with pytest.raises(ConnectionResetError):
            live.recv(1)
        assert expires - 2 < time.time()
    line = made.egress.last_connection()
    assert line["reason"] == "pki_expired" and "; it is " in line["detail"]
    refused(made, "pki_expired", 2)


def test_an_own_certificate_that_ends_soon_is_told_of(pki, ways):
    """At the start, and at each reload."""
    made = ways(pki.issue("server.test", lives=3600))
    expected = "this machine's certificate (identity.certificate) expires at"
    assert made.ingress.log().count(expected) == 1
    os.kill(made.ingress.popen.pid, 1)
    wait_until("reload", lambda: made.ingress.log().count(expected) == 2)
    lasting = ways(pki.issue("server.test"))
    assert "this machine's certificate" not in lasting.ingress.log()


@pytest.mark.parametrize("content, problem", [
    (None, "crl.pem"), ("", "holds no PEM revocation list")], ids=["missing", "empty"])
def test_a_file_without_a_revocation_list_is_no_configuration(pki, ways, tmp_path, content, problem):
    crl = tmp_path / "crl.pem"
    if content is not None:
        crl.write_text(content)
    with pytest.raises(AssertionError, match=problem):
        ways(pki.issue("server.test"), crl=str(crl))


def test_a_finite_field_hello_is_refused(pki, ways):
    made = ways(pki.issue("server.test"))
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{made.ingress_port}", "-groups",
               "ffdhe8192")
    assert "handshake failure" in done.stderr
    assert made.ingress.last_connection()["reason"] == "handshake_failed"
