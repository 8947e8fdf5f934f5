"""Listeners whose clients could reach one another, and plaintext sides that other hosts could reach."""
import json
import os
import socket

import pytest

from harness import BIN, RELEASE, Admin, Process, ask, free_ports, is_listening, run, wait_until


def tunnel(name, listen, **more):
    return {"name": name, "role": "egress", "listen": listen, "target": "127.0.0.1:1",
            "timeouts": {"connect": "100ms"}, "peer": {"unsafe_unauthenticated": True}, **more}


def write(directory, tunnels, **more):
    file = directory / "atlsd.json"
    file.write_text(json.dumps({"admin": {"enabled": False}, "threads": 1, "reload": {"watch": False},
                                "tunnels": tunnels, **more}))
    return file


@pytest.mark.parametrize("first, second", [
    ("127.0.0.1:7001", "127.0.0.1:7001"), ("0.0.0.0:7001", "127.0.0.1:7001"), ("127.0.0.1:7001", "[::]:7001"),
    ("localhost:7001", "[::1]:7001"), ("systemd:a", "systemd:a"), ("unix:@a", "unix:@a"),
    ("unix:/run/a/../b", "unix:/run/b"),
])
def test_check_refuses_two_tunnels_on_one_address(tmp_path, first, second):
    file = write(tmp_path, [tunnel("a", first, unsafe_plaintext=True), tunnel("b", second, unsafe_plaintext=True)])
    done = run(BIN / "atlsd", "--check", "--config", file)
    assert done.returncode == 1
    assert done.stderr == (f'{file}: tunnels[1].listen: "{second}" would share its clients with tunnel "a", '
                           f"which listens on {first}\n")


def test_check_looks_at_links_included_documents_and_the_admin_endpoint(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/more.json").write_text(json.dumps({"tunnels": [tunnel("b", f"unix:{tmp_path}/link/s")]}))
    file = write(tmp_path, [tunnel("a", f"unix:{tmp_path}/real/s"), tunnel("c", "127.0.0.1:7003")], include="conf.d",
                 admin={"listen": "localhost:7003", "metrics_listen": "127.0.0.1:7003"})
    done = run(BIN / "atlsd", "--check", "--config", file)
    assert done.stderr == (
        f'{tmp_path}/conf.d/more.json: tunnels[0].listen: "unix:{tmp_path}/link/s" would share its clients with '
        f'tunnel "a", which listens on unix:{tmp_path}/real/s\n'
        f'{file}: admin.listen: "localhost:7003" would share its clients with tunnel "c", which listens on '
        "127.0.0.1:7003\n"
        f'{file}: admin.metrics_listen: "127.0.0.1:7003" would share its clients with tunnel "c", which listens on '
        "127.0.0.1:7003\n")


def another_name_of_loopback(port):
    # inet_aton(3)'s: no IP address for those who look at the text.
    return f"127.1:{port}"


def test_a_name_that_resolves_to_an_address_of_another_tunnel_is_refused_at_the_start(tmp_path):
    port = free_ports()
    file = write(tmp_path, [tunnel("closed", f"127.0.0.1:{port}"),
                            tunnel("open", another_name_of_loopback(port), unsafe_plaintext=True)])
    assert run(BIN / "atlsd", "--check=syntax", "--config", file).returncode == 0
    done = run(BIN / "atlsd", "--config", file)
    assert done.returncode == 1
    assert (f'listen_failed: an address cannot be listened on (tunnel "open" cannot listen on 127.1:{port}: would '
            'share its clients with tunnel "closed"') in done.stderr


def test_two_on_one_address_are_refused_at_a_reload(tmp_path):
    port, other = free_ports(2), free_ports()
    admin = Admin(tmp_path / "admin.sock")
    settings = {"admin": {"listen": f"unix:{admin.path}"}}
    kept = tunnel("kept", f"127.0.0.1:{port}")
    file = write(tmp_path, [kept], **settings)
    with Process([RELEASE / "bin/atlsd", "--config", file], tmp_path / "log", lambda: is_listening(port)):
        for listen in (f"127.0.0.1:{other}", another_name_of_loopback(other), f"0.0.0.0:{other}"):
            write(tmp_path, [kept, tunnel("a", f"127.0.0.1:{other}"), tunnel("b", listen, unsafe_plaintext=True)],
                  **settings)
            status, text = admin.ask("POST", "/reload")
            assert status == 409 and "would share its clients" in text
            assert is_listening(port) and not is_listening(other)
        # An address moves from one tunnel to another, and from a tunnel to nobody.
        write(tmp_path, [tunnel("another", f"127.0.0.1:{port}")], **settings)
        assert admin.ask("POST", "/reload")[0] == 200


def test_an_address_that_cannot_be_had_is_no_mistake_of_the_configuration(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(BIN / "atlsd", "--config", write(tmp_path, [tunnel("t", f"127.0.0.1:{port}")]))
        assert done.returncode == 1
        assert f'listen_failed: an address cannot be listened on (tunnel "t" cannot listen on 127.0.0.1:{port}' in done.stderr


LAUNCHER = """
import os, sys
os.environ |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "ingress", "LISTEN_PID": str(os.getpid())}
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(directory, held, file):
    """atlsd with a socket of the service manager's."""
    (directory / "launch.py").write_text(LAUNCHER)
    os.set_inheritable(held.fileno(), True)
    return Process(["/usr/bin/python3", directory / "launch.py", str(held.fileno()), RELEASE / "bin/atlsd", "--config",
                    file], directory / "log", close_fds=False)


@pytest.mark.parametrize("address, settings, starts", [
    ("0.0.0.0", {}, False), ("0.0.0.0", {"unsafe_plaintext": True}, True), ("127.0.0.1", {}, True)],
    ids=["all addresses", "spelled out", "loopback"])
def test_plaintext_at_a_socket_of_the_service_manager(tmp_path, address, settings, starts):
    with socket.create_server((address, 0)) as held:
        file = write(tmp_path, [tunnel("t", "systemd:ingress", **settings)])
        with activated(tmp_path, held, file) as process:
            process.expected_exit = (0 if starts else 1,)
            wait_until("start or end", lambda: "->" in process.log() or process.popen.poll() is not None)
            assert ("->" in process.log()) == starts
            port = held.getsockname()[1]
            if not starts:
                assert (f'tunnels[0].listen: "systemd:ingress" is 0.0.0.0:{port}, expected a loopback address or a unix '
                        'socket: it is the plaintext side; "unsafe_plaintext": true allows that') in process.log()


def test_a_socket_of_the_service_manager_can_be_given_up_and_taken_again(tmp_path):
    admin = Admin(tmp_path / "admin.sock")
    settings = {"admin": {"listen": f"unix:{admin.path}"}}
    with socket.create_server(("127.0.0.1", 0)) as held:
        port, other = held.getsockname()[1], free_ports()
        with activated(tmp_path, held, write(tmp_path, [tunnel("t", "systemd:ingress")], **settings)) as process:
            wait_until("start", lambda: "->" in process.log())
            for count, listen in enumerate((f"127.0.0.1:{other}", "systemd:ingress"), 1):
                write(tmp_path, [tunnel("t", listen)], **settings)
                assert admin.ask("POST", "/reload")[0] == 200
            assert ask(port) == b""
            wait_until("the connection", lambda: "target_unreachable" in process.log())


def test_a_unix_socket_replaces_nothing_but_a_socket(tmp_path):
    for name in ("listen.sock", "listen.sock.new"):
        (tmp_path / name).write_text("another's")
    (tmp_path / "link.sock").symlink_to("nowhere")
    for name in ("listen.sock", "link.sock"):
        done = run(BIN / "atlsd", "--config", write(tmp_path, [tunnel("t", f"unix:{tmp_path}/{name}")]))
        assert done.returncode == 1 and "there is a file that is not a socket" in done.stderr
    (tmp_path / "listen.sock").unlink()
    file = write(tmp_path, [tunnel("t", f"unix:{tmp_path}/listen.sock")])
    with Process([BIN / "atlsd", "--config", file], tmp_path / "log", lambda: (tmp_path / "listen.sock").exists()):
        assert (tmp_path / "listen.sock.new").read_text() == "another's"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp_path / "listen.sock"))
    assert sorted(p.name for p in tmp_path.glob("l*")) == ["link.sock", "listen.sock.new", "log"]
