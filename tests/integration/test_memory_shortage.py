"""A daemon that gets no more memory for a while serves as before afterwards."""
import contextlib
import json
import resource
import socket

from harness import ask, connect, wait_until


def limit_memory(process, size):
    """Of address space, in bytes; None: as before."""
    resource.prlimit(process.popen.pid, resource.RLIMIT_AS,
                     (resource.RLIM_INFINITY if size is None else size, resource.RLIM_INFINITY))


def address_space(process):
    with open(f"/proc/{process.popen.pid}/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def test_an_accept_loop_survives_a_shortage_of_memory(plain, tmp_path):
    server, admin, port = plain()
    ingress_port = json.loads((tmp_path / "client.json").read_text())["tunnels"][0]["target"].rsplit(":", 1)[1]
    with connect(port) as live, contextlib.ExitStack() as stack:
        live.sendall(b"a")
        assert live.recv(1) == b"a"

        limit_memory(server, address_space(server))
        is_short = lambda: "cannot accept: std::bad_alloc" in server.log()  # noqa: E731

        def connect_more():
            for _ in range(200):
                stack.enter_context(socket.create_connection(("127.0.0.1", ingress_port), 5))
            return is_short()

        wait_until("the accept loop is out of memory", connect_more)
        # What is there needs none.
        live.sendall(b"b")
        assert live.recv(1) == b"b"

        limit_memory(server, None)
        stack.close()
        assert ask(port) == b"hello"
        live.sendall(b"c")
        assert live.recv(1) == b"c"
    
