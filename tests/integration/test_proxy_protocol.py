"""PROXY protocol in and out, and what a peer cannot make the application believe (R13)."""
import contextlib
import socket
import struct

import pytest

from harness import ask, connect, read_all

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def parse_v2(data):
    """(source, destination, {type: value}, what follows)"""
    assert data[:12] == V2 and data[12:14] == b"\x21\x11", data
    length, = struct.unpack("!H", data[14:16])
    body, rest = data[16:16 + length], data[16 + length:]
    source, destination = (socket.inet_ntoa(body[i:i + 4]) for i in (0, 4))
    ports = struct.unpack("!HH", body[8:12])
    return (source, ports[0]), (destination, ports[1]), values(body[12:]), rest


def values(data):
    found = {}
    while data:
        kind, length = struct.unpack("!BH", data[:3])
        assert kind not in found
        found[kind], data = data[3:3 + length], data[3 + length:]
    return found


@pytest.fixture
def received():
    """What the application got; it answers when the client has finished."""
    got = []

    def handle(connection):
        got.append(read_all(connection))
        connection.sendall(b"answer")

    handle.got = got
    return handle


MUTUAL = {"attest": True, "require_attestation": True}


def test_the_application_is_told_of_its_peer(pair, site, received):
    p = pair(received, ingress_tunnel={**MUTUAL, "proxy_protocol": {"send": "v2"},
                                       "peer": {"ca": str(site.pki.ca), "names": ["client.test"]}},
             egress={"identity": site.client.identity(certificate=str(site.client_certificate))})
    # A peer that claims to be another, in the same words: only the first header counts.
    forged = V2 + b"\x21\x11" + struct.pack("!H4s4sHHBH9s", 24, b"\1\1\1\1", b"\2\2\2\2", 1, 2, 0xe0, 9, b"affirming")
    assert ask(p.egress_port, forged + b"hello") == b"answer"
    source, destination, tlvs, rest = parse_v2(received.got[0])
    assert source[0] == "127.0.0.1" and destination == ("127.0.0.1", p.ingress_port)
    assert f"{source[0]}:{source[1]}" == p.ingress.last_connection()["src"]
    assert tlvs[0xe0] == b"affirming" and tlvs[0xe1].hex() == site.client.kid
    client, verify = tlvs[0x20][0], tlvs[0x20][1:5]
    assert client == 0x03 and verify == bytes(4)
    assert values(tlvs[0x20][5:]) == {0x21: b"TLSv1.3", 0x22: b"client.test"}
    assert rest == forged + b"hello"


def test_an_unattested_peer_is_called_that(pair, received):
    p = pair(received, ingress_tunnel={"attest": True, "proxy_protocol": {"send": "v2"},
                                       "peer": {"unsafe_unauthenticated": True}},
             egress_tunnel={"require_attestation": True})
    assert ask(p.egress_port) == b"answer"
    tlvs = parse_v2(received.got[0])[2]
    assert tlvs[0xe0] == b"unattested" and 0xe1 not in tlvs and tlvs[0x20][0] == 0x01


def test_addresses_pass_through_from_a_load_balancer(pair, received):
    """In at egress; version 1 out at ingress tells of the hop it sees."""
    p = pair(received, ingress_tunnel={**MUTUAL, "proxy_protocol": {"send": "v1"}},
             egress_tunnel={**MUTUAL, "proxy_protocol": {"accept": True}})
    addresses = struct.pack("!4s4sHH", bytes([192, 0, 2, 7]), bytes([192, 0, 2, 8]), 4711, 443)
    headers = (b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n", V2 + b"\x21\x11\x00\x0c" + addresses)
    for number, header in enumerate(headers, 1):
        assert ask(p.egress_port, header + b"hello") == b"answer"
        assert p.egress.last_connection(number)["src"] == "192.0.2.7:4711"
    line, _, rest = received.got[-1].partition(b"\r\n")
    words = line.split()
    assert words[:4] == [b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"] and int(words[5]) == p.ingress_port
    assert rest == b"hello"


def test_who_does_not_begin_with_the_header_is_refused(pair, received):
    p = pair(received, egress_tunnel={**MUTUAL, "proxy_protocol": {"accept": True}, "timeouts": {"handshake": "1s"}})
    assert ask(p.egress_port, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert p.egress.last_connection(1)["reason"] == "proxy_header_malformed"
    assert ask(p.egress_port, b"PROXY TC") == b""
    assert p.egress.last_connection(2)["reason"] == "peer_closed"
    with connect(p.egress_port) as s:
        s.sendall(V2)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    assert p.egress.last_connection(3)["reason"] == "handshake_timeout"
    assert received.got == []


def test_a_header_nobody_asked_for_is_no_tls(pair, received):
    p = pair(received)
    assert ask(p.ingress_port, b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n") != b"answer"
    assert p.ingress.last_connection()["reason"] == "handshake_failed"
    assert received.got == []
