"""Who may use the keys in the TPM, and what they vouch for."""
import json
import os
import re
import socket
import threading

import pytest
from harness import (BIN, PCRS, Atlsd, Machine, Verifier, ask, connect, free_ports, provider_environment,
                     PROVIDER, run)

REQUIRE = {"require_attestation": True}
ATTEST_TO_ANYBODY = {"attest": True, "peer": {"unsafe_unauthenticated": True}}
# SHA-256 of 32 zero bytes and the command code of TPM2_PolicyAuthValue.
AUTH_VALUE_POLICY = "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e"
ONLY_AUTHORIZED = {"name": "authorized key", "require": {
    "evidence.key.auth_policy": AUTH_VALUE_POLICY,
    "evidence.key.attributes": {"not": {"includes": ["userWithAuth"]}}}}


class Tap:
    """What goes over the bus between a program and a machine's TPM."""

    def __init__(self, machine):
        self.sent = b""
        self.port = free_ports(2)
        self.tcti = f"swtpm:host=127.0.0.1,port={self.port}"
        self.listeners = []
        for offset in (0, 1):
            listener = socket.create_server(("127.0.0.1", self.port + offset))
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, machine.port + offset),
                             daemon=True).start()

    def _accept(self, listener, port):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = connect(port)
            for pair in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source, target, is_command):
        while data := source.recv(1 << 16):
            if is_command:
                self.sent += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.close()


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "machine", provision=False)
    yield made
    assert not made.flush_left_keys()
    made.stop()


def facts(machine, directory):
    """Of Evidence that the machine makes."""
    binder, evidence = directory / "binder", directory / "evidence"
    binder.write_bytes(os.urandom(32))
    done = run("openssl", "pkeyutl", *PROVIDER, "-sign", "-inkey", "atls:attester", "-in", binder,
               "-out", evidence, env=provider_environment(machine))
    assert done.returncode == 0, done.stderr
    shown = run(BIN / "atls", "inspect", evidence)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)["value"]


def start(directory, identity):
    """atlsd with this identity, as far as it comes."""
    file = directory / "atlsd.json"
    file.write_text(json.dumps({"identity": identity, "tunnels": [
        {"name": "t", "role": "ingress", "listen": f"127.0.0.1:{free_ports()}",
         "target": "127.0.0.1:1", **ATTEST_TO_ANYBODY}]}))
    return run(BIN / "atlsd", "--config", file, timeout=30)


def test_no_other_program_on_the_tpm_signs_with_the_keys(machine, tmp_path):
    """R19: whoever reaches the TPM finds the keys, but has no authorisation."""
    assert machine.provision("--handle", "0x81010001").returncode == 0
    (tmp_path / "digest").write_bytes(bytes(32))
    out = ["-o", tmp_path / "out", "-s", tmp_path / "signature"]
    quote = ["tpm2_quote", "-c", "0x81010001", "-l", "sha256:0", "-m", tmp_path / "out", "-s",
             tmp_path / "signature"]
    certify = ["tpm2_certify", "-C", "0x81010001", "-c", "0x81010002", "-g", "sha256", *out]
    sign = ["tpm2_sign", "-c", "0x81010002", "-g", "sha256", "-d", "-o", tmp_path / "signature",
            tmp_path / "digest"]
    for command in (quote, certify, sign):
        assert machine.tpm2(*command).returncode != 0, command
        assert machine.tpm2(*command, "-p", "guess").returncode != 0, command
    # It is the authorisation alone that they lack, and for the TLS key also the policy session.
    secret = "hex:" + json.loads((machine.state / "identity.json").read_text())["authorization"]
    assert machine.tpm2(*quote, "-p", secret).returncode == 0
    assert machine.tpm2(*certify, "-P", secret, "-p", secret).returncode == 0
    assert machine.tpm2(*sign, "-p", secret).returncode != 0
    assert os.stat(machine.state / "identity.json").st_mode & 0o077 == 0


def test_the_authorisation_never_goes_over_the_bus(machine):
    with Tap(machine) as tap:
        for _ in range(2):
            assert machine.provision(tcti=tap.tcti).returncode == 0
    secret = json.loads((machine.state / "identity.json").read_text())["authorization"]
    assert bytes.fromhex(secret) not in tap.sent
    # TPM2_StartAuthSession and its tpmKey: each session is salted with a key of the TPM.
    salted_with = re.findall(rb"\x80\x01....\x00\x00\x01\x76(....)", tap.sent, re.S)
    assert len(salted_with) >= 6
    assert bytes.fromhex("40000007") not in salted_with  # TPM_RH_NULL: none


def test_a_new_key_has_an_authorisation_of_its_own(machine, tmp_path):
    secrets = set()
    for name in ("a", "b"):
        assert machine.provision(state=tmp_path / name).returncode == 0
        secrets.add(json.loads((tmp_path / name / "identity.json").read_text())["authorization"])
    assert len(secrets) == 2 and all(re.fullmatch("[0-9a-f]{64}", one) for one in secrets)


def test_another_authorisation_is_refused(machine, tmp_path):
    assert machine.provision().returncode == 0
    file = machine.state / "identity.json"
    changed = json.loads(file.read_text()) | {"authorization": "00" * 31 + "01"}
    file.write_text(json.dumps(changed))
    done = start(tmp_path, machine.identity())
    assert done.returncode == 1
    assert "tpm_failed" in done.stderr and "another authorisation" in done.stderr


def test_the_authorisation_as_a_systemd_credential(machine, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    secret = os.urandom(32).hex()
    (credentials / "atlsd-key-authorization").write_text(secret + "\n")
    env = {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)}
    command = [BIN / "atls", "provision", "--tcti", machine.tcti, "--state-dir", machine.state]
    assert run(*command, env=env).returncode == 0
    assert secret not in (machine.state / "identity.json").read_text()
    assert run(*command, env=env).returncode == 0
    done = run(*command)
    assert done.returncode == 2
    assert "identity_invalid" in done.stderr and '"atlsd-key-authorization"' in done.stderr
    # Who only writes endorsements needs no authorisation.
    assert run(BIN / "atls", "endorse", *command[2:]).returncode == 0
    (credentials / "atlsd-key-authorization").write_text("secret\n")
    done = run(*command, env=env)
    assert done.returncode == 2 and "expected 64 hexadecimal digits" in done.stderr


def test_sessions_that_the_tpm_has_lost_are_started_again(site, pair):
    """As a resource manager may do with sessions that were not used for long."""
    p = pair(ingress_tunnel=ATTEST_TO_ANYBODY, egress_tunnel=REQUIRE)
    assert ask(p.egress_port) == b"hello"
    done = site.server.tpm2("tpm2_flushcontext", "--loaded-session")
    assert done.returncode == 0, done.stderr
    assert ask(p.egress_port) == b"hello"


def test_counts_and_firmware_version_are_the_tpms_own(machine, tmp_path):
    assert machine.provision().returncode == 0
    clock = machine.tpm2("tpm2_readclock").stdout
    fixed = machine.tpm2("tpm2_getcap", "properties-fixed").stdout
    high, low = (int(re.search(f"FIRMWARE_VERSION_{n}:\\s*raw: (0x[0-9a-fA-F]+)", fixed)[1], 16)
                 for n in (1, 2))
    found = facts(machine, tmp_path)
    assert found["firmware_version"] == high << 32 | low
    for name in ("reset_count", "restart_count"):
        assert found[name] == int(re.search(f"{name}: (\\d+)", clock)[1])
    assert found["key"]["auth_policy"] == AUTH_VALUE_POLICY
    assert "userWithAuth" not in found["key"]["attributes"]


def test_an_endorsement_hierarchy_with_a_password(machine):
    assert machine.tpm2("tpm2_changeauth", "-c", "endorsement", "secret").returncode == 0
    done = machine.provision()
    assert done.returncode == 2
    assert "endorsement hierarchy has a password" in done.stderr
    assert "tpm2_changeauth -c endorsement -p PASSWORD" in done.stderr
    assert not machine.state.exists()
    assert machine.tpm2("tpm2_changeauth", "-c", "endorsement", "-p", "secret").returncode == 0
    assert machine.provision().returncode == 0


def test_an_identity_of_version_1_attests_with_a_warning(site, pair, machine, tmp_path):
    assert machine.provision().returncode == 0
    machine.become_version_1(tmp_path / "old")
    machine.pcrs = PCRS
    with Verifier(tmp_path / "verifier", [machine]) as verifier:
        def run_it(**egress):
            return pair(server=machine, egress_verifier=verifier.settings(), egress=egress,
                        ingress_tunnel=ATTEST_TO_ANYBODY, egress_tunnel=REQUIRE)

        p = run_it()
        assert ask(p.egress_port) == b"hello"
        assert re.search("identity in .* is of version 1.* renew it", p.ingress.log())
        p.__exit__()
        # A rule tells it from one whose keys have an authorisation.
        p = run_it(policy={"rules": [ONLY_AUTHORIZED]})
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection()
        assert line["reason"] == "policy_requirement" and "authorized key" in line["detail"]
        p.__exit__()


def test_a_rule_demands_keys_with_an_authorisation(site, pair):
    p = pair(egress={"policy": {"rules": [ONLY_AUTHORIZED]}}, ingress_tunnel=ATTEST_TO_ANYBODY,
             egress_tunnel=REQUIRE)
    assert ask(p.egress_port) == b"hello"
    assert "version 1" not in p.ingress.log()


def test_a_bank_that_the_attestation_key_does_not_sign_for(machine, tmp_path):
    """Verifiers would refuse such a quote: its digest is made with the signature's hash."""
    assert machine.provision().returncode == 0
    identity = machine.identity()
    identity["tpm"]["pcrs"] = "sha384:0,7"
    words = ["expected the bank sha256", "signs with sha256", 'atls provision --pcrs sha384:0,7']
    started = start(tmp_path, identity)
    checked = run(BIN / "atlsd", "--check", "--config", tmp_path / "atlsd.json")
    assert "identity.tpm.pcrs: found the PCRs sha384:0,7" in checked.stderr
    for done in (started, checked, machine.provision("--pcrs", "sha384:0,7"),
                 run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", machine.state,
                     "--pcrs", "sha384:0,7")):
        assert done.returncode != 0
        for word in words:
            assert word in done.stderr


def test_another_bank_by_a_reload_leaves_the_old(machine, tmp_path):
    assert machine.provision().returncode == 0
    tunnel = {"name": "t", "role": "ingress", "listen": f"127.0.0.1:{free_ports()}",
              "target": "127.0.0.1:1", **ATTEST_TO_ANYBODY}
    with Atlsd(tmp_path, {"identity": machine.identity(), "tunnels": [tunnel],
                          "admin": {"listen": f"unix:{tmp_path}/admin.sock"}}) as atlsd:
        identity = machine.identity()
        identity["tpm"]["pcrs"] = "sha384:0,7"
        file = tmp_path / "atlsd.json"
        config = json.loads(file.read_text()) | {"identity": identity}
        file.write_text(json.dumps(config))
        done = run(BIN / "atls", "reload", "--admin", f"unix:{tmp_path}/admin.sock")
        assert done.returncode != 0 and "expected the bank sha256" in done.stdout + done.stderr
        assert atlsd.popen.poll() is None
