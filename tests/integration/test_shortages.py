"""A daemon that gets no more memory or descriptors for a while serves as before afterwards."""
import contextlib
import json
import pathlib
import re
import resource
import socket
import time

from harness import (RELEASE, Application, Atlsd, Process, ask, connect, echo, free_ports, is_listening,
                     open_descriptors, plain_client, plain_server, wait_until)


def limit_memory(process, size):
    """Of private writable memory, in bytes; None: as before."""
    resource.prlimit(process.popen.pid, resource.RLIMIT_DATA,
                     (resource.RLIM_INFINITY if size is None else size, resource.RLIM_INFINITY))


def private_memory(process):
    """In bytes."""
    status = pathlib.Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(re.search(r"VmData:\s+(\d+) kB", status)[1]) * 1024


def test_an_accept_loop_survives_a_shortage_of_memory(plain, tmp_path):
    server, admin, port = plain()
    ingress_port = json.loads((tmp_path / "client.json").read_text())["tunnels"][0]["target"].rsplit(":", 1)[1]
    with connect(port) as live, contextlib.ExitStack() as stack:
        live.sendall(b"a")
        assert live.recv(1) == b"a"

        limit_memory(server, private_memory(server))
        made = open_descriptors(server)

        def connect_more():
            """Whether what connects stays in the backlog. There need not be memory for a line in the log."""
            nonlocal made
            for _ in range(100):
                stack.enter_context(socket.create_connection(("127.0.0.1", ingress_port), 5))
            made += 100
            deadline = time.monotonic() + 2
            while open_descriptors(server) < made and time.monotonic() < deadline:
                time.sleep(0.01)
            return open_descriptors(server) < made

        try:
            wait_until("the accept loop is out of memory", connect_more)
            # What is there needs none.
            live.sendall(b"b")
            assert live.recv(1) == b"b"
        finally:
            limit_memory(server, None)
        stack.close()
        assert ask(port) == b"hello"
        live.sendall(b"c")
        assert live.recv(1) == b"c"


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
