"""Nothing blocks a thread."""
import selectors
import socket
import time

from harness import RELEASE, FaultyVerifier, connect


def test_two_hundred_handshakes_at_once_on_one_thread(site, pair):
    """The Verifier takes a second for each; one I/O thread finishes 200 in under two, not in 200."""
    count = 200

    def late(answer):
        time.sleep(1)
        return answer

    with FaultyVerifier(site.verifier, late) as slow:
        p = pair(egress_verifier={"url": slow.url, "timeout": "10s"},
                 ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                 egress_tunnel={"require_attestation": True}, binaries=RELEASE / "bin")
        started = time.monotonic()
        sockets = [connect(p.egress_port) for _ in range(count)]
        waiting = selectors.DefaultSelector()
        for s in sockets:
            s.sendall(b"x")
            waiting.register(s, selectors.EVENT_READ)
        answered = 0
        while answered < count and time.monotonic() - started < 20:
            for key, _ in waiting.select(1):
                assert key.fileobj.recv(1) == b"x"
                waiting.unregister(key.fileobj)
                answered += 1
        elapsed = time.monotonic() - started
        for s in sockets:
            s.close()
        assert answered == count
        print(f"{count} handshakes in {elapsed:.2f} s")
        assert elapsed < 2
