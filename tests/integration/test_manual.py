"""The man pages: they are well-formed, complete, and every command in them does what it says."""
import json
import os
import subprocess

import pytest

from harness import BIN, TOP, Application, Machine, echo, free_ports, run

PAGES = sorted(file for file in (TOP / "daemon/man").iterdir() if file.suffix in (".1", ".5", ".8"))


def commands(name):
    return [line[4:] for line in (TOP / "daemon/man" / name).read_text().splitlines() if line.startswith(".Dl ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_pages_are_well_formed(page):
    done = run("mandoc", "-T", "lint", "-W", "warning", page)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_the_configuration_is_made_from_the_schema():
    made = run(TOP / "daemon/man/make_json_page")
    assert made.stdout == (TOP / "daemon/man/atlsd.json.5").read_text(), "daemon/man/make_json_page > atlsd.json.5"


def test_options_and_commands_are_described():
    for program, page in (("atlsd", "atlsd.8"), ("atls", "atls.1"), ("atls-verifier", "atls-verifier.8")):
        text = (TOP / "daemon/man" / page).read_text()
        for line in run(BIN / program, "--help").stdout.splitlines():
            word = line.split()[0] if line.startswith("  ") and line.split() else ""
            word = word.split("{")[0]  # a default value
            if word in ("-h,--help", "--version") or not line[2:3].strip():
                continue
            wanted = f".It Fl -{word[2:]}" if word.startswith("--") else f".It Ic {word}"
            assert wanted in text or f"Fl -{word[2:]}" in text, (page, word)


def test_every_command_of_the_man_pages(tmp_path):
    """One after the other, in one shell: a machine is made, known to the Verifier, served, probed, commanded."""
    machine = Machine(tmp_path / "machine", provision=False)
    ports = {"orders.example:8443": f"127.0.0.1:{free_ports()}", "127.0.0.1:8443": f"127.0.0.1:{free_ports()}"}
    replacements = {**ports, "device:/dev/tpmrm0": machine.tcti, "/var/lib/atlsd": str(tmp_path / "state"),
                    "/etc/atlsd/": f"{tmp_path}/"}

    def here(line):
        for old, new in replacements.items():
            line = line.replace(old, new)
        return line

    admin = f"unix:{tmp_path}/admin.sock"
    with Application(echo) as application:
        (tmp_path / "atlsd.json").write_text(json.dumps({
            "identity": {"attester": "tpm", "tpm": {"tcti": machine.tcti, "state_dir": str(tmp_path / "state")}},
            "verifier": {"url": "http://" + ports["127.0.0.1:8443"], "result_key": "result.pem.pub"},
            "admin": {"listen": admin}, "tunnels": [
                {"name": "t", "role": "ingress", "listen": ports["orders.example:8443"],
                 "target": f"127.0.0.1:{application.port}", "attest": True, "peer": {"unsafe_unauthenticated": True}}]}))
        provision, endorse, *looking = [here(line) for line in commands("atls.1")]
        looking, commanding = looking[:3], [f"{line} --admin {admin}" for line in looking[3:]]
        verify, = [here(line) for line in commands("atls-verifier.8")]
        check, serve, replace = [here(line) for line in commands("atlsd.8")]
        script = "\n".join([
            "trap 'kill $(jobs -p) || true' EXIT",
            f"started() {{ for i in $(seq 300); do atls status --ready --admin {admin} && return; sleep 0.1; done; return 1; }}",
            provision, "mkdir endorsements", "cp state/*.cbor endorsements",
            verify + " &", "while [ ! -e result.pem.pub ]; do sleep 0.1; done",
            check, serve + " & PID=$!", "started", *looking,
            # The TPM here takes one program at a time.
            *commanding[:3], replace.replace("$PID", "$PID --check"),
            commanding[3], "kill $PID", "wait $PID", endorse,
            serve + " & PID=$!", "started", "kill $PID", "wait $PID", "echo done"])
        done = subprocess.run(["bash", "-euxc", script], cwd=tmp_path, capture_output=True, text=True, timeout=240,
                              env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}, check=False)
    machine.stop()
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stdout + done.stderr
    for word in ("provisioned this machine", "verdict: accepted", "atlsd.json: valid", '"message": "listening"'):
        assert word in done.stdout, done.stdout + done.stderr
