"""What the service manager sees: readiness, the end, and a watchdog that the I/O threads feed."""
import ctypes
import os
import pathlib
import socket
import time

import pytest

from harness import RELEASE, TOP, Process, free_ports, run

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Manager:
    """Listens where NOTIFY_SOCKET points."""

    def __init__(self, directory):
        self.path = str(directory / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def next(self, timeout):
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(1000).decode()
        except TimeoutError:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.fixture
def start(tmp_path):
    """atlsd with two I/O threads under a service manager; (process, manager)."""
    started = []

    def make(**env):
        manager = Manager(tmp_path)
        config = tmp_path / "atlsd.json"
        config.write_text(f"""{{"threads": 2, "tunnels": [{{"name": "t", "role": "egress",
            "listen": "127.0.0.1:{free_ports()}", "target": "127.0.0.1:1",
            "peer": {{"unsafe_unauthenticated": true}}}}]}}""")
        process = Process([RELEASE / "bin/atlsd", "--config", config], tmp_path / "log",
                          env={**os.environ, "NOTIFY_SOCKET": manager.path, **env})
        started.append((process, manager))
        return process, manager

    yield make
    for process, manager in started:
        process.stop()
        manager.__exit__()


def test_ready_and_stopping(start):
    process, manager = start()
    assert manager.next(10).startswith("READY=1\n")
    assert process.stop() == 0
    assert manager.next(10).startswith("STOPPING=1\n")
    assert manager.next(0.2) is None


def test_the_watchdog_is_fed_until_an_io_thread_hangs(start):
    process, manager = start(WATCHDOG_USEC="400000")
    assert manager.next(10).startswith("READY=1\n")
    for _ in range(5):
        assert manager.next(1) == "WATCHDOG=1"
    # Stop one thread and no other, as a debugger does.
    threads = sorted(int(t) for t in os.listdir(f"/proc/{process.popen.pid}/task"))
    names = {t: pathlib.Path(f"/proc/{process.popen.pid}/task/{t}/comm").read_text() for t in threads}
    libc = ctypes.CDLL(None, use_errno=True)
    hung = threads[-1]
    assert libc.ptrace(PTRACE_SEIZE, hung, None, None) == 0, os.strerror(ctypes.get_errno())
    assert libc.ptrace(PTRACE_INTERRUPT, hung, None, None) == 0
    os.waitpid(hung, WALL)
    try:
        time.sleep(0.5)
        while manager.next(0.01):
            pass
        assert manager.next(1) is None, names
    finally:
        assert libc.ptrace(PTRACE_DETACH, hung, None, None) == 0
    # It goes on, and so does the feeding.
    assert manager.next(5) == "WATCHDOG=1"


def test_a_watchdog_of_another_process_is_not_ours(start):
    _, manager = start(WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    assert manager.next(10).startswith("READY=1\n")
    assert manager.next(0.6) is None


def test_everything_is_installed_in_its_place(tmp_path):
    done = run("cmake", "--install", RELEASE, "--prefix", "/usr", env={**os.environ, "DESTDIR": tmp_path})
    assert done.returncode == 0, done.stderr
    for path in ("bin/atlsd", "bin/atls", "bin/atls-verifier", "lib/systemd/system/atlsd.service",
                 "lib/sysusers.d/atlsd.conf", "lib/tmpfiles.d/atlsd.conf",
                 "share/doc/atlsd/examples/egress.json"):
        assert (tmp_path / "usr" / path).is_file(), path
    assert list(tmp_path.rglob("ossl-modules/atls.so"))
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for tool, options in (("systemd-sysusers", []), ("systemd-tmpfiles", ["--create"])):
        kind = tool.split("-")[1]
        made = run(tool, f"--root={root}", *options, tmp_path / f"usr/lib/{kind}.d/atlsd.conf")
        assert made.returncode == 0, made.stderr
    assert "atlsd:" in (root / "etc/passwd").read_text()
    assert (root / "var/lib/atlsd").stat().st_mode & 0o777 == 0o750


def test_the_unit_is_sound_and_hardened(tmp_path):
    """On what is installed: paths of the unit exist there only."""
    unit = tmp_path / "atlsd.service"
    text = (TOP / "systemd/atlsd.service").read_text()
    unit.write_text(text.replace("/usr/bin/atlsd", str(RELEASE / "bin/atlsd")))
    verified = run("systemd-analyze", "verify", unit)
    assert verified.returncode == 0 and not verified.stderr.strip(), verified.stderr
    judged = run("systemd-analyze", "security", "--offline=yes", "--threshold=14", unit)
    assert judged.returncode == 0, judged.stdout
