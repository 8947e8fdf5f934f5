"""atls provision: what it leaves, what it refuses, and what atlsd says of a bad identity."""
import json
import os
import socket
import subprocess

import pytest
from harness import (BIN, Machine, Process, Verifier, ask, connect, free_ports, is_listening, run)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("machine") / "m", provision=False, banks="sha1,sha256")
    yield made
    made.stop()


def contents(directory):
    return {f.name: f.read_bytes() for f in directory.iterdir()}


def test_twice_changes_nothing(machine, tmp_path):
    state = tmp_path / "state"
    first = machine.provision(state=state)
    assert first.returncode == 0 and "provisioned this machine" in first.stdout
    before = contents(state)
    assert set(before) == {"identity.json", "endorsements.cbor", "endorsements-ueid.cbor", "ak.pem"}
    assert os.stat(state / "identity.json").st_mode & 0o077 == 0
    second = machine.provision(state=state)
    assert second.returncode == 0 and "already provisioned" in second.stdout
    assert contents(state) == before


def test_persistent_handles(machine, tmp_path):
    state = tmp_path / "state"
    assert machine.provision("--handle", "0x81020001", state=state).returncode == 0
    assert machine.provision("--handle", "0x81020001", state=state).returncode == 0
    handles = machine.tpm2("tpm2_getcap", "handles-persistent").stdout
    assert "0x81020001" in handles.lower() and "0x81020002" in handles.lower()
    # Taken handles belong to somebody: nothing is made, nothing of theirs is touched.
    taken = machine.provision("--handle", "0x81020001", state=tmp_path / "other")
    assert taken.returncode == 2
    assert "tpm_failed" in taken.stderr
    assert not (tmp_path / "other").exists()
    assert machine.tpm2("tpm2_getcap", "handles-persistent").stdout == handles


def test_endorse_follows_the_pcrs(machine, tmp_path):
    state = tmp_path / "state"
    machine.provision(state=state)
    before = contents(state)
    machine.extend(9)
    done = run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", state, "--pcrs",
               "sha256:9")
    assert done.returncode == 0
    after = contents(state)
    assert after["endorsements.cbor"] != before["endorsements.cbor"]
    assert after["identity.json"] == before["identity.json"]


@pytest.mark.parametrize("options, words", [
    (["--tcti", "device:/dev/nothing"], ["tpm_unavailable", "/dev/nothing does not exist", "/dev/tpmrm0"]),
    (["--tcti", f"swtpm:host=127.0.0.1,port=1"], ["tpm_unavailable", "a TPM that answers there"]),
    (["--tcti", "nonsense:x"], ["tpm_unavailable", 'expected "device:PATH"']),
    (["--pcrs", "sha512:0"], ["tpm_pcr_bank", "tpm2_getcap pcrs"]),
    (["--pcrs", "sha1:0"], ["config_invalid", "expected a bank"]),
    (["--pcrs", "sha256:16"], ["can be reset by anybody"]),
    (["--curve", "P-521"], ["expected P-256 or P-384"]),
    (["--class", "7"], ["expected a UUID"]),
    (["--handle", "0x1"], ["0x81000000"]),
])
def test_mistakes_leave_nothing_behind(machine, tmp_path, options, words):
    state = tmp_path / "state"
    arguments = [BIN / "atls", "provision", "--state-dir", state]
    if "--tcti" not in options:
        arguments += ["--tcti", machine.tcti]
    done = run(*arguments, *options, env={**os.environ, "TSS2_LOG": "all+NONE"})
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert not state.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_no_right_to_the_tpm(tmp_path):
    device = tmp_path / "tpmrm0"
    device.touch(mode=0o600)
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    done = subprocess.run([str(BIN / "atls"), "provision", "--tcti", f"device:{device}",
                           "--state-dir", "/tmp/none"], capture_output=True, text=True, timeout=30,
                          user="nobody", check=False)
    assert done.returncode == 2
    assert "tpm_permission" in done.stderr and "tss" in done.stderr


def test_state_directory_that_cannot_be_made(machine):
    done = machine.provision(state="/proc/state")
    assert done.returncode == 2
    assert "cannot create /proc/state" in done.stderr


def test_lockout(tmp_path):
    machine = Machine(tmp_path / "m", provision=False)
    secret = tmp_path / "secret.ctx"
    for command in (["tpm2_dictionarylockout", "--setup-parameters", "--max-tries=1",
                     "--recovery-time=1000", "--lockout-recovery-time=1000"],
                    ["tpm2_createprimary", "-C", "o", "-p", "right", "-c", secret, "-a",
                     "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-G", "ecc"]):
        done = machine.tpm2(*command)
        assert done.returncode == 0, done.stderr
    (tmp_path / "digest").write_bytes(b"x" * 32)
    for _ in range(2):
        machine.tpm2("tpm2_sign", "-c", secret, "-p", "wrong", "-g", "sha256", "-d", "-o",
                     tmp_path / "signature", tmp_path / "digest")
    done = machine.provision()
    assert done.returncode == 2
    assert "tpm_lockout" in done.stderr and "tpm2_dictionarylockout --clear-lockout" in done.stderr
    assert not machine.state.exists()
    machine.stop()


# atlsd with a bad identity or address.

def start(tmp_path, config):
    file = tmp_path / "atlsd.json"
    file.write_text(json.dumps(config))
    return run(BIN / "atlsd", "--config", file, timeout=30)


def ingress(identity, **more):
    return {"identity": identity, "tunnels": [
        {"name": "t", "role": "ingress", "listen": f"127.0.0.1:{free_ports()}", "target": "127.0.0.1:1",
         "peer": {"unsafe_unauthenticated": True}, **more}]}


def test_atlsd_not_provisioned(machine, tmp_path):
    identity = {"attester": "tpm", "tpm": {"tcti": machine.tcti, "state_dir": "nowhere"}}
    done = start(tmp_path, ingress(identity))
    assert done.returncode == 1
    assert "not_provisioned" in done.stderr and 'run "atls provision"' in done.stderr


def test_atlsd_with_the_identity_of_another_tpm(site, machine):
    identity = {"attester": "tpm", "tpm": {"tcti": machine.tcti, "state_dir": str(site.server.state)}}
    done = start(machine.directory, ingress(identity))
    assert done.returncode == 1
    assert "identity_invalid" in done.stderr and "belong to another TPM" in done.stderr


def test_atlsd_with_a_certificate_for_another_key(site, tmp_path):
    certificate, _ = site.pki.issue("other.test")
    done = start(tmp_path, ingress(site.server.identity(certificate=str(certificate))))
    assert done.returncode == 1
    assert "certificate_invalid" in done.stderr and "for another key" in done.stderr


def test_atlsd_with_an_unknown_pcr_bank(machine, tmp_path):
    machine.provision(state=tmp_path / "state")
    identity = {"attester": "tpm", "tpm": {"tcti": machine.tcti, "pcrs": "sha512:0",
                                           "state_dir": str(tmp_path / "state")}}
    done = start(tmp_path, ingress(identity))
    assert done.returncode == 1
    assert "tpm_pcr_bank" in done.stderr


def test_atlsd_with_a_result_key_that_is_none(site, tmp_path):
    (tmp_path / "key").write_text("hello")
    config = ingress(site.server.identity())
    config["verifier"] = {"url": "http://127.0.0.1:1", "result_key": str(tmp_path / "key")}
    done = start(tmp_path, config)
    assert done.returncode == 1
    assert "expected a JWK or a PEM public key" in done.stderr


def test_atlsd_on_a_port_that_is_taken(site, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(tmp_path, ingress(site.server.identity(), listen=f"127.0.0.1:{port}"))
    assert done.returncode == 1
    assert f'tunnel "t" cannot listen on 127.0.0.1:{port}' in done.stderr


def test_check_says_all_mistakes(tmp_path):
    file = tmp_path / "bad.json"
    file.write_text('{"tunnels": [{"name": "a", "role": "both"}], "thread": 2}')
    done = run(BIN / "atlsd", "--check", "--config", file)
    assert done.returncode == 1
    for word in ("tunnels[0].role", "tunnels[0].listen: is missing", 'did you mean "threads"?'):
        assert word in done.stderr


def test_the_tpm_goes_away_and_comes_back(site, pair, tmp_path):
    """Live connections stay; new ones are refused with the reason, and work again afterwards."""
    machine = Machine(tmp_path / "m")
    with Verifier(tmp_path / "v", [machine, site.client]) as verifier:
        p = pair(server=machine, ingress_verifier=verifier.settings(),
                 egress_verifier=verifier.settings())
        with connect(p.egress_port) as live:
            live.sendall(b"before")
            assert live.recv(6) == b"before"
            arguments = machine.swtpm.popen.args
            machine.swtpm.stop()
            assert ask(p.egress_port) == b""
            assert p.ingress.last_connection()["reason"] == "tpm_unavailable"
            live.sendall(b"after")
            assert live.recv(5) == b"after"
        machine.swtpm = Process(arguments, tmp_path / "swtpm2.log",
                                lambda: is_listening(machine.port + 1))
        assert ask(p.egress_port) == b"hello"
    machine.stop()


def test_verifier_without_endorsements(tmp_path):
    done = run(BIN / "atls-verifier", "--endorsements", tmp_path / "none", "--result-key",
               tmp_path / "key.pem")
    assert done.returncode == 1
    assert "endorsement_missing" in done.stderr
