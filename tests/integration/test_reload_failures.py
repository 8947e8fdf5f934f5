"""Reloads that go wrong, and what mends them."""
import json
import os
import resource
import signal

import pytest

from harness import RELEASE, Admin, Process, ask, connect, free_ports, plain_client, wait_until


def limit_descriptors(process, count):
    """The process opens none with this number or a higher one; None: as before. Root may raise it again."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (hard if count is None else count, hard))


class Changing:
    """A server whose Verifier is another one with each reload, so that a reload needs descriptors."""

    def __init__(self, site, plain, directory):
        self.result_key = str(site.verifier.result_key)
        self.file = directory / "server.json"
        self.server, self.admin, self.port = plain(verifier=self.verifier(0))
        self.count = 0

    def verifier(self, number):
        return {"url": f"http://127.0.0.1:{number + 1}", "result_key": self.result_key}

    def reload(self):
        """Whether it succeeded, or what the log says."""
        self.count += 1
        config = json.loads(self.file.read_text())
        self.file.write_text(json.dumps({**config, "verifier": self.verifier(self.count)}))
        self.server.popen.send_signal(signal.SIGHUP)
        wait_until("reload", lambda: len(self.outcomes()) == self.count or self.server.popen.poll() is not None)
        assert self.server.popen.poll() is None, self.server.log()
        return self.outcomes()[-1]

    def outcomes(self):
        return [line for line in self.server.log().splitlines() if "reloaded (" in line or "the old configuration" in line]


@pytest.fixture
def changing(site, plain, tmp_path):
    return Changing(site, plain, tmp_path)


def test_no_shortage_of_descriptors_ends_the_daemon(changing):
    with connect(changing.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        failures = []
        # None is free, one, two, ...: something else fails each time.
        for limit in range(3, 200):
            limit_descriptors(changing.server, limit)
            outcome = changing.reload()
            lasting.sendall(b"b")
            assert lasting.recv(1) == b"b"
            if "reloaded" in outcome:
                break
            failures.append(outcome)
        assert len(failures) > 3 and all("Too many open files" in one for one in failures), failures
        assert any("epoll" in one for one in failures), failures

        limit_descriptors(changing.server, 3)
        changing.reload()
        limit_descriptors(changing.server, None)
        last = changing.admin.status()["last_reload"]
        assert not last["ok"] and "Too many open files" in last["detail"]
        shown, = json.loads(changing.admin.get("/config"))
        assert shown["content"]["verifier"] != changing.verifier(changing.count)
        assert ask(changing.port) == b"hello"
        assert changing.admin.ask("POST", "/reload")[0] == 200
        assert changing.admin.status()["verifier"] == [changing.verifier(changing.count)["url"]]
        lasting.sendall(b"c")
        assert lasting.recv(1) == b"c"


def all_taken(process):
    """The lowest number of a descriptor that the process has not."""
    taken = {int(fd) for fd in os.listdir(f"/proc/{process.popen.pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def test_a_reload_has_descriptors_in_reserve(changing):
    assert ask(changing.port) == b"hello"
    for _ in range(3):
        limit_descriptors(changing.server, all_taken(changing.server))
        assert "reloaded" in changing.reload()
        limit_descriptors(changing.server, None)
    assert ask(changing.port) == b"hello"


def test_an_included_file_that_is_mended_is_noticed_after_the_failure(tmp_path):
    main, included = tmp_path / "atlsd.json", tmp_path / "conf.d/more.json"
    included.parent.mkdir()
    settings = plain_client(free_ports(), 1)
    settings |= {"admin": {"listen": f"unix:{tmp_path}/admin.sock"}, "include": "conf.d",
                 "reload": {"poll_interval": "1h"}}
    main.write_text(json.dumps(settings))
    admin = Admin(tmp_path / "admin.sock")
    with Process([RELEASE / "bin/atlsd", "--config", main], tmp_path / "log", lambda: "->" in (tmp_path / "log").read_text()):
        included.write_text("nonsense")
        wait_until("the failure", lambda: admin.status()["reloads_failed"] == 1)
        tunnel = {**settings["tunnels"][0], "name": "more", "listen": f"127.0.0.1:{free_ports()}"}
        # In its place: the directory has the same names as before.
        included.write_text(json.dumps({"tunnels": [tunnel]}))
        wait_until("the reload", lambda: admin.status().get("last_reload", {}).get("ok"))
        assert [t["name"] for t in admin.status()["tunnels"]] == ["t", "more"]
        assert admin.status()["reloads"] == 2


def test_a_certificate_that_the_failed_reload_wanted_is_noticed_when_it_comes(site, tmp_path):
    main, certificate = tmp_path / "atlsd.json", tmp_path / "later/certificate.pem"
    certificate.parent.mkdir()
    issued, key = site.pki.issue("later.test")
    settings = plain_client(free_ports(), 1) | {"admin": {"listen": f"unix:{tmp_path}/admin.sock"},
                                               "reload": {"poll_interval": "1h"}, "unsafe_no_sandbox": True}
    main.write_text(json.dumps(settings))
    admin = Admin(tmp_path / "admin.sock")
    with Process([RELEASE / "bin/atlsd", "--config", main], tmp_path / "log", lambda: "->" in (tmp_path / "log").read_text()):
        main.write_text(json.dumps({**settings, "identity": {
            "attester": "none", "certificate": str(certificate), "key": str(key)}}))
        wait_until("the failure", lambda: admin.status()["reloads_failed"] == 1)
        certificate.write_bytes(issued.read_bytes())
        wait_until("the reload", lambda: admin.status()["last_reload"]["ok"])
