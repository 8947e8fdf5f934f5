"""Who attests to whom, and what crosses the tunnel then."""
import hashlib
import os
import socket
import threading
import time

import pytest
from harness import MEDIA_TYPE, Application, Machine, Verifier, ask, connect, echo, is_listening, read_all, wait_until

ATTEST = {"attest": True}
REQUIRE = {"require_attestation": True}
ANYBODY = {"peer": {"unsafe_unauthenticated": True}}


@pytest.mark.parametrize("with_pki", [False, True], ids=["without-pki", "with-pki"])
@pytest.mark.parametrize("who", ["server", "client", "mutual"])
def test_attestation(site, pair, who, with_pki):
    server_attests = who in ("server", "mutual")
    client_attests = who in ("client", "mutual")
    ingress_tunnel = {"attest": server_attests, "require_attestation": client_attests}
    egress_tunnel = {"attest": client_attests, "require_attestation": server_attests}
    ingress, egress = {}, {}
    if with_pki:
        ca = str(site.pki.ca)
        ingress["identity"] = site.server.identity(certificate=str(site.server_certificate))
        egress["identity"] = site.client.identity(certificate=str(site.client_certificate))
        ingress_tunnel["peer"] = {"ca": ca, "names": ["client.test"]}
        egress_tunnel["peer"] = {"ca": ca, "names": ["server.test"]}
    else:
        if not client_attests:
            ingress_tunnel |= ANYBODY
        if not server_attests:
            egress_tunnel |= ANYBODY
    p = pair(ingress=ingress, egress=egress, ingress_tunnel=ingress_tunnel,
             egress_tunnel=egress_tunnel)
    assert ask(p.egress_port) == b"hello"
    seen_by_client = p.egress.last_connection()
    seen_by_server = p.ingress.last_connection()
    assert seen_by_client["verdict"] == ("affirming" if server_attests else "unattested")
    assert seen_by_server["verdict"] == ("affirming" if client_attests else "unattested")
    assert seen_by_client["attestation"] == seen_by_server["own_attestation"] == (MEDIA_TYPE if server_attests else "")
    assert seen_by_server["attestation"] == seen_by_client["own_attestation"] == (MEDIA_TYPE if client_attests else "")
    assert seen_by_client["kid"] == (site.server.kid if server_attests else "")
    assert seen_by_server["kid"] == (site.client.kid if client_attests else "")
    assert seen_by_client["peer"] == ("server.test" if with_pki else "")
    assert seen_by_server["peer"] == ("client.test" if with_pki else "")
    assert "reason" not in seen_by_client and "reason" not in seen_by_server


def test_hello_retry_request(pair):
    tunnel = {"attest": True, "require_attestation": True}
    p = pair(ingress_tunnel={**tunnel, "groups": "P-256"},
             egress_tunnel={**tunnel, "groups": "X25519:P-256"})
    assert ask(p.egress_port) == b"hello"
    assert p.egress.last_connection()["verdict"] == "affirming"
    assert p.ingress.last_connection()["verdict"] == "affirming"


def test_the_extension_has_the_same_number_at_both_ends(pair):
    number = {"tls": {"extension_code": 65450}}
    p = pair(ingress=number, egress=number)
    assert ask(p.egress_port) == b"hello"
    # Another number is another extension, which nobody knows: as if the peer did not attest.
    p.egress.stop()  # a software TPM serves one program at a time
    with p.another_egress(f"127.0.0.1:{p.ingress_port}", tls={"extension_code": 65451}) as other:
        assert ask(other) == b""
    assert p.ingress.last_connection()["reason"] == "peer_not_attested"


def test_key_on_p384_at_persistent_handles(site, pair, tmp_path):
    machine = Machine(tmp_path / "machine", curve="P-384", handle="0x81010001")
    with Verifier(tmp_path / "verifier", [machine, site.client]) as verifier:
        p = pair(server=machine, ingress_verifier=verifier.settings(),
                 egress_verifier=verifier.settings())
        assert ask(p.egress_port) == b"hello"
    machine.stop()


@pytest.mark.parametrize("bank", ["sha384", "sha512"])
def test_another_bank(pair, tmp_path, bank):
    machine = Machine(tmp_path / "machine", pcrs=f"{bank}:0,1,2,3,4,5,6,7,9",
                      banks="sha256,sha384,sha512")
    with Verifier(tmp_path / "verifier", [machine], required=machine.pcrs) as verifier:
        p = pair(server=machine, egress_verifier=verifier.settings(),
                 egress={"policy": {"pcrs": machine.pcrs}},
                 ingress_tunnel={"attest": True, **ANYBODY}, egress_tunnel=REQUIRE)
        assert ask(p.egress_port) == b"hello"
    machine.stop()


def test_ten_megabytes_each_way_at_once(pair):
    sent = os.urandom(10 << 20)
    p = pair()
    with connect(p.egress_port) as s:
        writer = threading.Thread(target=lambda: (s.sendall(sent), s.shutdown(socket.SHUT_WR)))
        writer.start()
        received = read_all(s)
        writer.join()
    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
    line = p.egress.last_connection()
    assert line["bytes_sent"] == line["bytes_recv"] == len(sent)
    assert "reason" not in line


def test_half_close_by_the_client(pair):
    def count(connection):
        connection.sendall(str(len(read_all(connection))).encode())

    p = pair(count)
    with connect(p.egress_port) as s:
        s.sendall(b"x" * 100_000)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b"100000"
    assert "reason" not in p.ingress.last_connection()


def test_half_close_by_the_server(pair):
    received = []
    done = threading.Event()

    def speak_first(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        received.append(read_all(connection))
        done.set()

    p = pair(speak_first)
    with connect(p.egress_port) as s:
        assert read_all(s) == b"bye"
        s.sendall(b"still here")
        s.shutdown(socket.SHUT_WR)
        assert done.wait(10)
    assert received == [b"still here"]
    assert "reason" not in p.egress.last_connection()


def test_reset_is_not_passed_on_as_a_proper_end(pair):
    import struct
    ended = []
    done = threading.Event()

    def listen(connection):
        try:
            ended.append(read_all(connection))
        except ConnectionResetError:
            ended.append("reset")
        done.set()

    p = pair(listen)
    with connect(p.egress_port) as s:
        s.sendall(b"half of a mess")
        wait_until("the connection", lambda: p.application.accepted == 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert done.wait(10)
    assert ended == ["reset"]


def test_application_is_dialled_again_until_it_is_there(site, pair, tmp_path):
    p = pair()
    port = p.application.port
    p.application.stop()
    assert not is_listening(port)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(p.egress_port)))
    asking.start()
    threading.Event().wait(0.5)
    with Application(echo, port):
        asking.join()
    assert answers == [b"hello"]


def test_resumption_within_the_life_of_the_result(site, pair):
    """Off unless configured; then one appraisal serves until its Attestation Result is too old."""
    tunnel = {"attest": True, "require_attestation": True, "resumption": "1h"}
    age = 8
    policy = {"policy": {"max_result_age": f"{age}s"}}
    p = pair(ingress=policy, egress=policy, ingress_tunnel=tunnel, egress_tunnel=tunnel)

    def connect_once(count):
        assert ask(p.egress_port) == b"hello"
        lines = [p.egress.last_connection(count), p.ingress.last_connection(count)]
        assert [line["verdict"] for line in lines] == ["affirming"] * 2
        assert [line["kid"] for line in lines] == [site.server.kid, site.client.kid]
        resumed = {line["resumed"] for line in lines}
        assert len(resumed) == 1
        if resumed == {True}:
            assert all(line["appraisal_ms"] == 0 and line["evidence_ms"] == 0 for line in lines)
        return resumed.pop()

    assert not connect_once(1)
    appraised_by = time.monotonic()
    asked_at = []
    while True:
        asked_at.append(time.monotonic())
        if not connect_once(len(asked_at) + 1):
            break
        time.sleep(0.3)
    assert len(asked_at) > 1, "nothing was resumed"
    # The result's own time is in whole seconds.
    assert all(asked < appraised_by + age + 1 for asked in asked_at[:-1])
    assert connect_once(len(asked_at) + 2)


def test_no_ticket_by_default(pair):
    p = pair()
    for count in (1, 2):
        assert ask(p.egress_port) == b"hello"
        assert not p.egress.last_connection(count)["resumed"]
        assert p.ingress.last_connection(count)["appraisal_ms"] > 0
