"""The admin endpoint and its metrics against clients that are many, slow or somebody else's."""
import contextlib
import http.client
import json
import os
import resource
import socket
import time

import pytest

from harness import RELEASE, PATIENCE, Admin, Process, connect, free_ports, plain_client, read_all, run, wait_until

ATLSD = RELEASE / "bin/atlsd"


class Endpoint:
    """An atlsd whose admin endpoint and metrics are TCP."""

    def __init__(self, directory, **admin):
        self.port, self.public = free_ports(2), free_ports()
        settings = plain_client(free_ports(), 1) | {"threads": 1, "admin": {
            "listen": f"127.0.0.1:{self.port}", "metrics_listen": f"127.0.0.1:{self.public}", **admin}}
        file = directory / "atlsd.json"
        file.write_text(json.dumps(settings))
        self.process = Process([ATLSD, "--config", file], directory / "log",
                               lambda: "->" in (directory / "log").read_text())

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.popen.pid}/fd"))


@pytest.fixture
def endpoint(tmp_path):
    made = Endpoint(tmp_path)
    with made.process:
        yield made


def get(port, path="/metrics", method="GET", headers=None):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


@pytest.mark.parametrize("which", ["port", "public"])
def test_silent_clients_neither_stay_nor_keep_others_out(endpoint, which):
    port = getattr(endpoint, which)
    before = endpoint.descriptors()
    with contextlib.ExitStack() as held:
        silent = [held.enter_context(connect(port)) for _ in range(320)]
        assert get(port)[0] == 200
        assert endpoint.descriptors() <= before + 64 + 8
        last_came = time.monotonic()
        for s in silent:
            assert read_all(s) == b""
        assert time.monotonic() - last_came < PATIENCE / 2
    wait_until("all closed", lambda: endpoint.descriptors() <= before)


def test_a_request_that_drips_is_cut(endpoint):
    with connect(endpoint.public) as s:
        with pytest.raises(OSError):
            for byte in b"GET /metrics HTTP/1.1\r\nX-Filler: " + b"x" * 100:
                s.send(bytes([byte]))
                time.sleep(0.1)


def test_a_scraper_may_keep_its_connection(endpoint):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", endpoint.public, timeout=PATIENCE)) as scraper:
        for _ in range(3):
            scraper.request("GET", "/metrics")
            reply = scraper.getresponse()
            assert reply.status == 200 and b"atlsd_ready" in reply.read()
            # Longer than a request may take.
            time.sleep(2.5)
        assert scraper.sock is not None


def test_the_longest_idle_client_makes_room(endpoint):
    with contextlib.ExitStack() as held:
        kept = [held.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", endpoint.public)))
                for _ in range(65)]
        for one in kept:
            one.request("GET", "/livez")
            assert one.getresponse().read() == b"ok\n"
        # The first has been idle the longest; all others are still there.
        kept[0].sock.settimeout(PATIENCE)
        assert kept[0].sock.recv(1) == b""
        for one in kept[1:]:
            one.request("GET", "/livez")
            assert one.getresponse().read() == b"ok\n"


@pytest.mark.parametrize("method, path", [("GET", "/status"), ("GET", "/config"), ("POST", "/reload"),
                                          ("POST", "/quitquitquit"), ("GET", "/metrics")])
def test_a_web_page_that_names_this_host_reaches_nothing(endpoint, method, path):
    """DNS rebinding: the page's own name, pointed to 127.0.0.1 afterwards; no Origin for the same origin."""
    for host in (f"web.example:{endpoint.port}", "web.example", "localhost.web.example", "127.0.0.1.web.example",
                 "192.0.2.1", "[2001:db8::1]:80", "", "unix:@x"):
        status, text = get(endpoint.port, path, method, {"Host": host})
        assert status in (400, 403), host
        assert status == 400 or "expected a loopback address" in text
    assert endpoint.process.popen.poll() is None


def test_this_host_by_its_own_names(endpoint):
    for host in ("127.0.0.1", f"127.0.0.1:{endpoint.port}", "localhost", f"localhost:{endpoint.port}", "[::1]:9"):
        assert get(endpoint.port, "/status", headers={"Host": host})[0] == 200, host
    # What is for everybody is so by any name.
    assert get(endpoint.public, headers={"Host": "metrics.example"})[0] == 200
    with connect(endpoint.port) as s:
        s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        assert b" 403 " in read_all(s)
    for name in ("127.0.0.1", "localhost"):
        done = run(RELEASE / "bin/atls", "reload", "--admin", f"{name}:{endpoint.port}")
        assert done.returncode == 0, done.stderr


def test_the_operator_is_answered_when_all_descriptors_are_taken(tmp_path):
    endpoint = Endpoint(tmp_path, listen=f"unix:{tmp_path}/admin.sock")
    admin = Admin(tmp_path / "admin.sock")
    with endpoint.process as process:
        wait_until("ready", lambda: admin.status()["ok"])
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def none_is_free():
            taken = {int(fd) for fd in os.listdir(f"/proc/{process.popen.pid}/fd")}
            limit = next(number for number in range(len(taken) + 1) if number not in taken)
            resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (limit, hard))

        none_is_free()
        for _ in range(5):
            assert admin.status()["message"] == "listening"
        with connect(endpoint.public):
            assert admin.ask("POST", "/reload")[0] == 200
        resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (hard, hard))
        assert get(endpoint.public)[0] == 200


def test_the_admin_socket_is_its_owners_from_the_first_moment(tmp_path):
    """What the file's mode is whenever the file is there, under any name."""
    seen = tmp_path / "seen"
    source, library = tmp_path / "look.c", tmp_path / "look.so"
    source.write_text("""
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/socket.h>
        #include <sys/stat.h>
        #include <sys/un.h>
        static void note(const char *call, const char *path) {
          struct stat s;
          FILE *f = fopen(getenv("SEEN"), "a");
          if (lstat(path, &s) == 0) fprintf(f, "%s %o\\n", call, s.st_mode & 0777);
          else fprintf(f, "%s\\n", call);
          fclose(f);
        }
        int bind(int fd, const struct sockaddr *at, socklen_t size) {
          int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
          int done = real(fd, at, size);
          if (at->sa_family == AF_UNIX) note("bind", ((const struct sockaddr_un *)at)->sun_path);
          return done;
        }
        int chmod(const char *path, mode_t mode) { (void)path; (void)mode; note("chmod", ""); return 0; }
    """)
    made = run("cc", "-shared", "-fPIC", "-o", library, source, "-ldl")
    assert made.returncode == 0, made.stderr
    settings = plain_client(free_ports(), 1) | {"admin": {"listen": f"unix:{tmp_path}/admin.sock"},
                                               "unsafe_no_sandbox": True}
    (tmp_path / "atlsd.json").write_text(json.dumps(settings))
    with Process([ATLSD, "--config", tmp_path / "atlsd.json"], tmp_path / "log",
                 lambda: "->" in (tmp_path / "log").read_text(),
                 env={**os.environ, "LD_PRELOAD": str(library), "SEEN": str(seen)}):
        assert oct((tmp_path / "admin.sock").stat().st_mode & 0o777) == "0o600"
        assert seen.read_text() == "bind 600\n"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(tmp_path / "admin.sock"))
