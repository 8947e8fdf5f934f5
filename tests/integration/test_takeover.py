"""--takeover ends only what it is meant for."""
import json
import os
import subprocess

import pytest

from harness import RELEASE, Process, connect, free_ports, is_listening, plain_client, run

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
