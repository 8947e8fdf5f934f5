"""What the running process may not do, and what it does not let out (R16)."""
import json
import os
import pathlib
import re
import shutil

from harness import BIN, RELEASE, Process, ask, free_ports, is_listening, plain_server, run, wait_until


def test_the_running_process_may_do_next_to_nothing(site, tmp_path):
    """Tried from inside: a library in the process does, after the start, what an intruder would. Outside
    /tmp, where the tests' own files would be allowed."""
    home = pathlib.Path("/var/lib") / f"atlsd-test-{os.getpid()}"
    home.mkdir()
    try:
        report = home / "report"
        source = home / "intruder.c"
        source.write_text(pathlib.Path(__file__).with_name("intruder.c").read_text())
        made = run("cc", "-shared", "-fPIC", "-o", home / "intruder.so", source)
        assert made.returncode == 0, made.stderr
        port = free_ports()
        file = home / "etc/atlsd.json"
        file.parent.mkdir()
        file.write_text(json.dumps(plain_server(home / "etc", site, type("A", (), {"port": 1}), port)))
        outside = pathlib.Path("/opt") / f"atlsd-secret-{os.getpid()}"
        outside.write_text("secret")
        with Process([RELEASE / "bin/atlsd", "--config", file], tmp_path / "log",
                     lambda: is_listening(port) and "seccomp" in (tmp_path / "log").read_text(),
                     env={**os.environ, "LD_PRELOAD": str(home / "intruder.so"), "INTRUDER_SECRET": str(outside),
                          "INTRUDER_CONFIG": str(file)}) as running:
            assert "Landlock ABI" in running.log()
            wait_until("the intruder's report", lambda: "end\n" in running.log())
            said = dict(re.findall(r"^intruder: (.*) = (\d+)$", running.log(), re.M))
            status = pathlib.Path(f"/proc/{running.popen.pid}/status").read_text()
        eperm, eacces = "1", "13"
        assert said == {"read another file": eacces, "list /root": eacces, "write its configuration": eacces,
                        "make a file in /opt": eacces, "execute a program": eperm, "fork": eperm, "trace": eperm,
                        "kill another": eperm, "mount": eperm, "load a module": eperm, "raw socket": eperm,
                        "read its configuration": "0", "dumpable": "0"}, running.log()
        assert re.search(r"NoNewPrivs:\s1", status) and re.search(r"Seccomp:\s2", status)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert re.search(rf"{kind}:\s0+\n", status), status
        assert not report.exists()
    finally:
        shutil.rmtree(home)
        for left in pathlib.Path("/opt").glob(f"atlsd-*-{os.getpid()}"):
            left.unlink()


def test_no_core_dump_of_secrets(plain):
    server, _, port = plain()
    assert ask(port) == b"hello"
    limits = pathlib.Path(f"/proc/{server.popen.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


def test_nothing_secret_is_written_anywhere(running, site, tmp_path):
    """Log at debug, every admin page, metrics: no key, no Evidence, no Attestation Result, no traffic."""
    certificate, key = site.pki.issue("secret.test")
    r = running(ingress={"log": {"format": "json", "level": "debug"}},
                egress={"identity": {"certificate": str(certificate), "key": str(key)},
                        "log": {"format": "text", "level": "debug"}},
                ingress_tunnel={"attest": True, "peer": {"ca": str(site.pki.ca), "names": ["secret.test"]}},
                egress_tunnel={"require_attestation": True})
    evidence, result = tmp_path / "evidence", tmp_path / "result"
    assert ask(r.port, b"the application's own secret") == b"the application's own secret"
    probe = run(BIN / "atls", "probe", f"127.0.0.1:{r.pair.ingress_port}", "--verifier", site.verifier.url,
                "--result-key", site.verifier.result_key, "--evidence-out", evidence, "--ear-out", result)
    assert evidence.exists(), probe.stdout + probe.stderr
    r.reload()
    written = r.atlsd.log() + r.pair.egress.log()
    written += "".join(r.admin.get(path) for path in ("/status", "/config", "/attestation", "/metrics", "/readyz"))
    der = run("openssl", "pkey", "-in", key, "-text", "-noout").stdout
    private = "".join(re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", der)[1].split()).replace(":", "")
    assert len(private) >= 60
    for secret in (private[:32], "PRIVATE KEY", "the application's own secret", "TRAFFIC_SECRET", "eyJ",
                   evidence.read_bytes()[200:232].hex(), result.read_text()[:24]):
        assert secret.lower() not in written.lower(), secret
    # What a peer may see of it anyway is there.
    assert site.server.kid in written
