"""Reloads that go well or leave the old in force, and live connections, which are judged again."""
import contextlib
import json
import os
import re
import shutil
import threading
import time

import pytest

from harness import (BIN, PATIENCE, RELEASE, Application, FaultyVerifier, Load, Process, Running, ask, connect,
                     free_ports, is_listening, plain_server, read_all, resident_kib, run, wait_until)


def test_a_thousand_reloads_under_load_lose_no_connection_and_no_memory(plain):
    server, admin, port = plain()
    with connect(port) as lasting, Load(port, 2) as load:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        sizes = []
        for i in range(1000):
            assert admin.ask("POST", "/reload")[0] == 200
            if i % 100 == 99:
                sizes.append(resident_kib(server))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
    assert not load.lost and load.done > 100
    # Flat: the second half does not grow by more than a page table or two.
    assert sizes[-1] - sizes[4] < 1024, sizes
    assert admin.metric("atlsd_reloads_total") == 1000


def test_reload_applies_to_new_connections(running):
    r = running()
    assert ask(r.port) == b"hello"
    with Application(lambda s: s.sendall(b"another: " + read_all(s))) as other:
        r.reload(lambda c: c["tunnels"][0].update(target=f"127.0.0.1:{other.port}"))
        assert ask(r.port) == b"another: hello"
    assert r.admin.status()["last_reload"]["ok"]


def test_hangup_and_command_line_reload_too(running):
    r = running()
    r.hang_up()
    wait_until("reload", lambda: r.admin.status()["reloads"] == 1)
    done = run(BIN / "atls", "reload", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 0, done.stderr
    assert r.admin.status()["reloads"] == 2
    r.change(lambda c: c.update(tunnels=[]))
    done = run(BIN / "atls", "reload", "--admin", f"unix:{r.admin.path}")
    assert done.returncode == 1 and "tunnels: is missing or empty" in done.stderr


@pytest.mark.parametrize("breakage, word", [
    (lambda c, d: c.update(thread=1), "thread: is not a known key"),
    (lambda c, d: c["identity"].update(certificate=str(d / "broken.pem")), "certificate"),
    (lambda c, d: c["tunnels"][0].update(peer={"ca": str(d / "broken.pem"), "names": ["x"]}), "trust anchors"),
    (lambda c, d: c["tunnels"][0].update(listen="192.0.2.1:1"), "cannot listen"),
    (lambda c, d: c.update(policy={"rules": [{"deny": {"nonsense": 1}}]}), "policy.rules[0]"),
    (lambda c, d: c["verifier"].update(result_key=str(d / "broken.pem")), "result_key"),
], ids=["configuration", "certificate", "trust anchors", "address", "policy", "result key"])
def test_a_bad_reload_leaves_the_old_configuration(running, tmp_path, breakage, word):
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        good = r.file.read_text()
        answer = r.reload(lambda c: breakage(c, tmp_path), expected=409)
        assert word in answer
        assert "reload (asked by the admin endpoint) failed, the old configuration stays" in r.atlsd.log()
        state = r.admin.status()
        assert not state["last_reload"]["ok"] and word in state["last_reload"]["detail"]
        assert r.admin.metric("atlsd_last_reload_success") == 0
        assert ask(r.port) == b"hello"
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
    r.file.write_text(good)
    r.reload()
    assert r.admin.metric("atlsd_last_reload_success") == 1


def test_a_broken_certificate_file_is_noticed_by_itself_and_mended_by_itself(site, pair, tmp_path):
    certificate = tmp_path / "certificate.pem"
    shutil.copy(site.server_certificate, certificate)
    r = Running(pair(ingress={"identity": site.server.identity(certificate=str(certificate)),
                              "admin": {"listen": f"unix:{tmp_path}/admin.sock"}},
                     egress_tunnel={"attest": True, "require_attestation": True,
                                    "peer": {"ca": str(site.pki.ca), "names": ["server.test"]}}), tmp_path)
    assert ask(r.port) == b"hello"
    certificate.write_text("nonsense")
    wait_until("failed reload", lambda: r.admin.status()["reloads_failed"] == 1)
    assert ask(r.port) == b"hello"
    shutil.copy(site.server_certificate, certificate)
    wait_until("reload", lambda: r.admin.status()["last_reload"]["ok"])
    assert ask(r.port) == b"hello"


@pytest.mark.parametrize("how", ["events", "polling"])
def test_a_symlink_swap_as_kubernetes_does_it_is_noticed(site, tmp_path, how):
    """..data points to a directory of that moment; the files are links through it."""
    def publish(number, certificate, key):
        directory = tmp_path / f"volume/..{number}"
        directory.mkdir(parents=True)
        shutil.copy(certificate, directory / "tls.crt")
        shutil.copy(key, directory / "tls.key")
        link = tmp_path / "volume/..data_tmp"
        link.symlink_to(directory.name)
        link.rename(tmp_path / "volume/..data")

    certificates = [site.pki.issue(f"swap-{i}-{how}") for i in range(2)]
    publish(1, *certificates[0])
    for name in ("tls.crt", "tls.key"):
        (tmp_path / "volume" / name).symlink_to(f"..data/{name}")
    port = free_ports()
    config = plain_server(tmp_path, site, type("A", (), {"port": 1}), port)
    config["identity"] |= {"certificate": str(tmp_path / "volume/tls.crt"), "key": str(tmp_path / "volume/tls.key")}
    config["reload"] = {"poll_interval": "300ms" if how == "polling" else "1h"}

    def subject():
        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}")
        return re.search(r"subject=CN = (\S+)", shown.stdout)[1]

    environment = None
    if how == "polling":
        # Nobody gets events here.
        environment = {**os.environ, "LD_PRELOAD": str(build_without_inotify(tmp_path))}
    file = tmp_path / "swap.json"
    file.write_text(json.dumps(config))
    with Process([RELEASE / "bin/atlsd", "--config", file], tmp_path / "log", lambda: is_listening(port),
                 env=environment):
        assert subject() == f"swap-0-{how}"
        publish(2, *certificates[1])
        wait_until("the new certificate", lambda: subject() == f"swap-1-{how}", 5)


def build_without_inotify(directory):
    source, library = directory / "deaf.c", directory / "deaf.so"
    source.write_text("#include <errno.h>\nint inotify_init1(int f){(void)f;errno=ENOSYS;return -1;}\n")
    made = run("cc", "-shared", "-fPIC", "-o", library, source)
    assert made.returncode == 0, made.stderr
    return library


# live connections are judged again

@pytest.mark.parametrize("change, reason", [
    (lambda c, site: c["tunnels"][0].update(peer={"kid": site.server.kid}), "kid_not_allowed"),
    (lambda c, site: c.update(policy={"pcrs": "sha256:0,1,2,3,4,5,6,7,9,10"}), "pat_pcrs_missing"),
    (lambda c, site: c.update(policy={"rules": [{"deny": {"evidence.kid": site.client.kid}}]}), "policy_denied"),
    (lambda c, site: c.update(policy={"verifier_id": {"developer": "somebody else"}}), "ear_verifier_id"),
    (lambda c, site: c.update(policy={"appraisal_policy_id": "another"}), "ear_policy_id"),
    (lambda c, site: c["tunnels"][0].update(name="renamed"), "tunnel_removed"),
], ids=["kid", "pcrs", "rule", "verifier", "policy id", "tunnel"])
def test_a_reload_closes_only_those_whom_the_new_policy_refuses(running, site, change, reason):
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        r.reload(lambda c: c.update(log={"format": "json", "level": "debug"}))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"
        r.reload(lambda c: change(c, site))
        with pytest.raises(OSError):
            assert lasting.recv(1) == b""
            raise ConnectionError("the end")
    line = r.atlsd.last_connection()
    assert (line["reason"], line["verdict"]) == (reason, "affirming")


def test_a_dry_run_closes_nobody(running, site):
    r = running()
    with connect(r.port) as lasting:
        lasting.sendall(b"a")
        assert lasting.recv(1) == b"a"
        r.reload(lambda c: c.update(policy={"dry_run": True, "rules": [{"deny": {"evidence.kid": site.client.kid}}]}))
        lasting.sendall(b"b")
        assert lasting.recv(1) == b"b"


def test_trust_anchors_and_names_are_judged_again(running, site):
    pki = {"ca": str(site.pki.ca), "names": ["client.test"]}
    r = running(ingress_tunnel={"attest": True, "peer": pki},
                egress={"identity": site.client.identity(certificate=str(site.client_certificate))},
                egress_tunnel={"attest": True, "require_attestation": True})
    for change, reason in (({"names": ["somebody.else"]}, "pki_name_mismatch"),
                           ({"ca": str(site.server_certificate)}, "pki_untrusted")):
        with connect(r.port) as lasting:
            lasting.sendall(b"a")
            assert lasting.recv(1) == b"a"
            r.reload(lambda c: c["tunnels"][0].update(peer={**pki, "names": ["another", "client.test"]}))
            lasting.sendall(b"b")
            assert lasting.recv(1) == b"b"
            r.reload(lambda c: c["tunnels"][0].update(peer={**pki, **change}))
            wait_until("line", lambda: r.atlsd.connections() and r.atlsd.connections()[-1].get("reason") == reason)
        r.reload(lambda c: c["tunnels"][0].update(peer=pki))


def test_a_handshake_that_began_before_the_reload_is_judged_by_what_is_in_force_at_its_end(running, site):
    entered, go_on = threading.Event(), threading.Event()

    def slowly(real):
        entered.set()
        assert go_on.wait(PATIENCE)
        return real

    with FaultyVerifier(site.verifier, slowly) as verifier:
        r = running(ingress_verifier={"url": verifier.url})
        with connect(r.port) as s:
            s.sendall(b"a")
            assert entered.wait(PATIENCE)
            r.reload(lambda c: c["tunnels"][0].update(peer={"kid": site.server.kid}))
            go_on.set()
            assert r.atlsd.last_connection()["reason"] == "kid_not_allowed"
            with contextlib.suppress(OSError):
                assert s.recv(1) == b""


def test_a_result_that_grew_too_old_ends_its_connection_at_an_idle_moment_or_at_the_limit(running):
    r = running(ingress_tunnel={"attest": True, "require_attestation": True, "max_result_age": "2s",
                                "hard_result_age": "10s"})
    with connect(r.port) as quiet, connect(r.port) as busy:
        quiet.sendall(b"a")
        assert quiet.recv(1) == b"a"
        with contextlib.suppress(OSError):
            while busy.send(b"b") and busy.recv(1):
                time.sleep(0.05)
        lines = [r.atlsd.last_connection(2)] + r.atlsd.connections()[:1]
    assert [line["reason"] for line in lines] == ["result_too_old"] * 2
    quiet_one, busy_one = sorted(line["duration_ms"] for line in lines)
    assert 1000 < quiet_one < 8000 < busy_one < 15000
