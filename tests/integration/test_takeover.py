"""--takeover ends only what it is meant for."""
import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest

from harness import (PATIENCE, RELEASE, Admin, Application, Atlsd, Process, connect, echo, free_ports, is_listening,
                     plain_client, plain_server, read_all, run, wait_until)

ATLSD = RELEASE / "bin/atlsd"


def write(directory, listen):
    directory.mkdir(exist_ok=True)
    settings = plain_client(1, 1) | {"threads": 1}
    settings["tunnels"][0] |= {"listen": listen, "unsafe_plaintext": True}
    (directory / "atlsd.json").write_text(json.dumps(settings))
    return directory / "atlsd.json"


@pytest.fixture
def newcomer(tmp_path):
    """Its address cannot be had: whoever refuses for another reason has refused before."""
    return write(tmp_path / "ours", "192.0.2.1:1")


def refusal(file, number):
    done = run(ATLSD, "--config", file, "--takeover", number)
    assert done.returncode == 1
    start = f"atlsd: takeover_refused: the process to take over from is no atlsd of this configuration (process {number} "
    assert done.stderr.startswith(start), done.stderr
    return done.stderr[len(start):]


def test_another_program_is_not_ended(newcomer):
    with subprocess.Popen(["python3", "-c", "import time; time.sleep(60)", "--config", newcomer]) as other:
        try:
            assert refusal(newcomer, other.pid) == "is no other atlsd)\n"
            assert other.poll() is None
        finally:
            other.kill()


def test_an_atlsd_of_another_configuration_is_not_ended(tmp_path, newcomer):
    port = free_ports()
    theirs = write(tmp_path / "theirs", f"127.0.0.1:{port}")
    for option in (["--config", theirs], [f"--config={theirs}"]):
        with Process([ATLSD, *option], tmp_path / "log", lambda: is_listening(port)) as other:
            why = refusal(newcomer, other.popen.pid)
            assert why == f"has a configuration of {theirs.parent}, expected one of {newcomer.parent})\n"
            assert other.popen.poll() is None and is_listening(port)


def test_nobody_is_not_ended(newcomer):
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert refusal(newcomer, gone.pid) == "is not there: No such process)\n"
    assert refusal(newcomer, os.getpid()) == "is no other atlsd)\n"


@pytest.mark.parametrize("how", ["relative", "link", "replaced"])
def test_the_same_configuration_by_another_path(tmp_path, how):
    port = free_ports()
    ours = write(tmp_path / "ours", f"127.0.0.1:{port}")
    (tmp_path / "link").symlink_to("ours")
    program, path, cwd = ATLSD, {"relative": "ours/atlsd.json", "link": tmp_path / "link/atlsd.json",
                                 "replaced": ours}[how], tmp_path
    if how == "replaced":
        program = tmp_path / "atlsd"
        os.link(ATLSD, program) if os.stat(ATLSD).st_dev == os.stat(tmp_path).st_dev else \
            program.write_bytes(ATLSD.read_bytes())
        program.chmod(0o755)
    with Process([program, "--config", path], tmp_path / "first.log", lambda: is_listening(port), cwd=cwd) as first:
        if how == "replaced":
            program.unlink()
        with Process([ATLSD, "--config", ours, "--takeover", first.popen.pid], tmp_path / "second.log",
                     lambda: "->" in (tmp_path / "second.log").read_text()):
            assert first.popen.wait(15) == 0
            connect(port).close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_binary_is_replaced_under_load_and_no_request_is_lost(site, tmp_path, kind):
    with Application(echo) as application, contextlib.ExitStack() as stack:
        server_port, client_port = free_ports(2), free_ports()
        listen = f"127.0.0.1:{client_port}" if kind == "tcp" else f"unix:{tmp_path}/in.sock"
        stack.enter_context(Atlsd(tmp_path, plain_server(tmp_path, site, application, server_port), "server",
                                  RELEASE / "bin"))
        settings = plain_client(client_port, server_port) | {
            "threads": 2, "admin": {"listen": f"unix:{tmp_path}/client.sock"}, "shutdown_timeout": "10s"}
        settings["tunnels"][0]["listen"] = listen
        file = tmp_path / "client.json"
        file.write_text(json.dumps(settings))

        def start(generation, *options):
            return Process([RELEASE / "bin/atlsd", "--config", file, *options], tmp_path / f"client{generation}.log",
                           lambda: "->" in (tmp_path / f"client{generation}.log").read_text())

        def question():
            try:
                with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as s:
                    s.settimeout(PATIENCE)
                    s.connect(f"{tmp_path}/in.sock" if kind == "unix" else ("127.0.0.1", client_port))
                    s.sendall(b"question")
                    s.shutdown(socket.SHUT_WR)
                    return read_all(s)
            except OSError as e:
                return e

        lost, done, stopping = [], [0], threading.Event()

        def load():
            while not stopping.is_set():
                answer = question()
                if answer != b"question":
                    lost.append(answer)
                done[0] += 1

        current = start(0)
        clients = [threading.Thread(target=load) for _ in range(4)]
        for one in clients:
            one.start()
        try:
            for generation in range(1, 6):
                before = done[0]
                following = start(generation, "--takeover", current.popen.pid)
                assert current.popen.wait(PATIENCE) == 0, current.log()
                current = following
                wait_until("more answers", lambda: done[0] > before + 20)
        finally:
            stopping.set()
            for one in clients:
                one.join()
            with current:
                pass
        assert not lost, lost[:5]
        assert Admin(tmp_path / "client.sock").path.exists() is False
