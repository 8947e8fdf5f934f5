"""What the service manager sees: readiness, the end, and a watchdog that the I/O threads feed."""
import ctypes
import json
import os
import pathlib
import resource
import socket
import time

import pytest

from harness import (RELEASE, TOP, Process, ask, connect, free_ports, is_listening, run,
                     wait_until)

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


def test_the_watchdog_is_fed_when_no_descriptor_is_free(start):
    process, manager = start(WATCHDOG_USEC="400000")
    assert manager.next(10).startswith("READY=1\n")
    assert manager.next(10) == "WATCHDOG=1"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (3, hard))
    while manager.next(0.01):
        pass
    for _ in range(3):
        assert manager.next(5) == "WATCHDOG=1"


def test_a_watchdog_of_another_process_is_not_ours(start):
    _, manager = start(WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    assert manager.next(10).startswith("READY=1\n")
    assert manager.next(0.6) is None


def test_everything_is_installed_in_its_place(tmp_path):
    done = run("cmake", "--install", RELEASE, "--prefix", "/usr", env={**os.environ, "DESTDIR": tmp_path})
    assert done.returncode == 0, done.stderr
    for path in ("bin/atlsd", "bin/atls", "bin/atls-verifier", "lib/systemd/system/atlsd.service",
                 "lib/systemd/system/atlsd.socket", "lib/systemd/system/atls-verifier.service", "share/man/man8/atlsd.8", "share/man/man1/atls.1",
                 "share/man/man8/atls-verifier.8", "share/man/man5/atlsd.json.5",
                 "share/doc/atlsd/drop-ins/20-configfs-tsm.conf",
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


@pytest.mark.parametrize("program", ["atlsd", "atls-verifier"])
def test_the_unit_is_sound_and_hardened(tmp_path, program):
    """On what is installed: paths of the unit exist there only."""
    unit = tmp_path / f"{program}.service"
    text = (TOP / f"systemd/{program}.service").read_text()
    unit.write_text(text.replace("/usr/bin/", f"{RELEASE}/bin/"))
    # The unit names its man pages.
    run("cmake", "--install", RELEASE, "--prefix", "/usr", env={**os.environ, "DESTDIR": tmp_path / "installed"})
    env = {**os.environ, "MANPATH": str(tmp_path / "installed/usr/share/man")}
    verified = run("systemd-analyze", "verify", unit, env=env)
    assert verified.returncode == 0 and not verified.stderr.strip(), verified.stderr
    judged = run("systemd-analyze", "security", "--offline=yes", "--threshold=14", unit)
    assert judged.returncode == 0, judged.stdout
    if program != "atlsd":
        return
    # With the socket and each drop-in as well.
    (tmp_path / "atlsd.socket").write_text((TOP / "systemd/atlsd.socket").read_text())
    (tmp_path / "atlsd.service.d").mkdir()
    for drop_in in (TOP / "systemd/drop-ins").iterdir():
        (tmp_path / "atlsd.service.d" / drop_in.name).write_text(drop_in.read_text())
    verified = run("systemd-analyze", "verify", tmp_path / "atlsd.socket", unit, env=env)
    assert verified.returncode == 0 and not verified.stderr.strip(), verified.stderr


def unit_values(key):
    text = (TOP / "systemd/atlsd.service").read_text()
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(key + "=")]


def test_no_path_of_a_drop_in_is_one_that_the_unit_hides():
    """A path that is missing in the unit's mount namespace prevents the start, unless "-" stands before it."""
    assert unit_values("ProcSubset") == ["pid"]
    paths = [path for drop_in in (TOP / "systemd/drop-ins").iterdir()
             for line in drop_in.read_text().splitlines() if "Paths=" in line
             for path in line.split("=", 1)[1].split()]
    assert paths and [path for path in paths if path.startswith("/proc/")] == []


def test_the_units_reload_tells_whether_the_new_configuration_is_in_force(tmp_path):
    command, = unit_values("ExecReload")
    program, *arguments = command.split()
    config = tmp_path / "atlsd.json"
    settings = {"admin": {"listen": f"unix:{tmp_path}/admin.sock"}, "tunnels": [
        {"name": "t", "role": "egress", "listen": f"127.0.0.1:{free_ports()}", "target": "127.0.0.1:1",
         "peer": {"unsafe_unauthenticated": True}}]}
    config.write_text(json.dumps(settings))
    reload = [RELEASE / "bin" / pathlib.Path(program).name, *arguments, "--admin", f"unix:{tmp_path}/admin.sock"]
    with Process([RELEASE / "bin/atlsd", "--config", config], tmp_path / "log",
                 lambda: "->" in (tmp_path / "log").read_text()):
        assert run(*reload).returncode == 0
        # What only a start finds out: an address that cannot be had.
        settings["tunnels"][0] |= {"listen": "192.0.2.1:1", "unsafe_plaintext": True}
        config.write_text(json.dumps(settings))
        done = run(*reload)
        assert done.returncode == 1 and "listen_failed" in done.stderr


def system_calls_of(group):
    """Names in a group such as @system-service."""
    names = set()
    for line in run("systemd-analyze", "syscall-filter", group).stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            names |= system_calls_of(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


def test_atlsd_runs_and_confines_itself_under_the_units_system_call_filter(tmp_path):
    allowed = set()
    for value in unit_values("SystemCallFilter"):
        for word in value.lstrip("~").split():
            names = system_calls_of(word) if word.startswith("@") else {word}
            allowed = allowed - names if value.startswith("~") else allowed | names
    assert unit_values("SystemCallErrorNumber") == ["EPERM"] and len(allowed) > 200
    launcher = tmp_path / "launch.py"
    launcher.write_text(f"""
import os, sys, seccomp
f = seccomp.SyscallFilter(seccomp.ERRNO(1))
for name in {sorted(allowed | {"execve"})!r}:
    try:
        f.add_rule(seccomp.ALLOW, name)
    except (ValueError, RuntimeError):
        pass  # of another architecture
f.load()
os.execv(sys.argv[1], sys.argv[1:])
""")
    port = free_ports()
    config = tmp_path / "atlsd.json"
    config.write_text(f"""{{"tunnels": [{{"name": "t", "role": "egress", "listen": "127.0.0.1:{port}",
        "target": "127.0.0.1:1", "peer": {{"unsafe_unauthenticated": true}}}}]}}""")
    # Without capabilities, as the unit's user is.
    with Process(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "/usr/bin/python3", launcher,
                  RELEASE / "bin/atlsd", "--config", config], tmp_path / "log",
                 lambda: "seccomp" in (tmp_path / "log").read_text()) as process:
        log = process.log()
        assert "Landlock ABI" in log and "system calls filtered (seccomp)" in log, log
        assert is_listening(port) and ask(port) == b""
        wait_until("the refusal's line", lambda: "target_unreachable" in process.log())


def test_a_socket_that_systemd_holds_outlives_a_restart(tmp_path):
    """As with atlsd.socket: what comes in between waits."""
    held = socket.create_server(("127.0.0.1", 0))
    port = held.getsockname()[1]
    config = tmp_path / "atlsd.json"
    config.write_text("""{"tunnels": [{"name": "t", "role": "egress", "listen": "systemd:ingress",
        "target": "127.0.0.1:1", "timeouts": {"connect": "100ms"}, "peer": {"unsafe_unauthenticated": true}}]}""")
    launcher = tmp_path / "launch.py"
    launcher.write_text("""
import os, sys
os.environ |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "ingress", "LISTEN_PID": str(os.getpid())}
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
""")

    def start(number):
        os.set_inheritable(held.fileno(), True)
        return Process(["/usr/bin/python3", launcher, str(held.fileno()), RELEASE / "bin/atlsd", "--config", config],
                       tmp_path / f"log{number}", lambda: "->" in (tmp_path / f"log{number}").read_text(),
                       close_fds=False)

    with start(1):
        assert ask(port) == b""
    with connect(port) as waiting:
        waiting.sendall(b"between")
        with start(2) as second:
            wait_until("the one that waited", lambda: "target_unreachable" in second.log())
