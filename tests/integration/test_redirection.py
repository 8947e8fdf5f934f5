"""Traffic that the kernel redirects to atlsd, in a network namespace of the test's own."""
import ctypes
import os
import socket

import pytest

from harness import PATIENCE, Application, Atlsd, echo, run

CLIENT, SERVER, SERVER_PORT, EGRESS_PORT = "127.0.0.5", "127.0.0.9", 7000, 7001
OPEN = {"peer": {"unsafe_unauthenticated": True}}

# Only the client's connections: those of atlsd itself come from another address.
REDIRECT = f"""table ip nat {{
  chain output {{
    type nat hook output priority -100;
    ip saddr {CLIENT} ip daddr {SERVER} tcp dport {SERVER_PORT} redirect to :{EGRESS_PORT}
  }}
}}"""
TPROXY = f"""table ip mangle {{
  chain prerouting {{
    type filter hook prerouting priority mangle;
    ip saddr {CLIENT} ip daddr {SERVER} tcp dport {SERVER_PORT} tproxy to :{EGRESS_PORT} meta mark set 1
  }}
}}"""


@pytest.fixture
def network():
    """This process and what it starts live in a new network namespace meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert libc.unshare(clone_newnet) == 0, os.strerror(ctypes.get_errno())
    try:
        command("ip", "link", "set", "lo", "up")
        yield
    finally:
        assert libc.setns(home, clone_newnet) == 0
        os.close(home)


def command(*arguments, **more):
    done = run(*arguments, **more)
    assert done.returncode == 0, done.stderr


def ask_server():
    with socket.create_connection((SERVER, SERVER_PORT), PATIENCE, (CLIENT, 0)) as s:
        s.sendall(b"hello")
        return s.recv(5)


@pytest.mark.parametrize("how", ["redirect", "tproxy"])
def test_redirected_traffic_reaches_its_destination(network, site, tmp_path, how):
    rules = tmp_path / "rules.nft"
    rules.write_text(REDIRECT if how == "redirect" else TPROXY)
    command("nft", "-f", rules)
    if how == "tproxy":
        command("ip", "rule", "add", "fwmark", "1", "lookup", "100")
        command("ip", "route", "add", "local", "default", "dev", "lo", "table", "100")
    certificate, key = site.pki.issue(f"{how}.test")
    with Application(echo) as application, Atlsd(tmp_path, {
            "identity": {"certificate": str(certificate), "key": str(key)}, "tunnels": [{
                "name": "in", "role": "ingress", "listen": f"{SERVER}:{SERVER_PORT}",
                "target": f"127.0.0.1:{application.port}", **OPEN}]}, "ingress"), Atlsd(tmp_path, {
            "tunnels": [{
                "name": "out", "role": "egress", "listen": f"0.0.0.0:{EGRESS_PORT}",
                "target": "original-destination", "transparent": how == "tproxy",
                "unsafe_plaintext": True, **OPEN}]},
            "egress") as egress:
        assert ask_server() == b"hello"
        line = egress.last_connection()
        assert line["src"].startswith(CLIENT) and line["dst"] == f"{SERVER}:{SERVER_PORT}"
        # Who addresses atlsd itself has no destination.
        with pytest.raises(ConnectionResetError):
            with socket.create_connection(("127.0.0.1", EGRESS_PORT), PATIENCE) as s:
                s.recv(1)
        assert egress.last_connection(2)["reason"] == "target_unreachable"
