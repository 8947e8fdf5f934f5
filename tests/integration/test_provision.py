"""atls provision: what it leaves, what it refuses, and what atlsd says of a bad identity."""
import fcntl
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess

import pytest
from harness import (BIN, Machine, Process, ProvisioningService, Verifier, ask, connect, free_ports,
                     is_listening, run)

RELEASES = ["veraison-main", "veraison-2608", "veraison-2602", "veraison-2511"]


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
    assert set(before) == {"identity.json", "trust-anchor.cbor", "reference-values.cbor", "ak.pem"}
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


def leave_template(machine, index, attributes, directory):
    """As the maker of a machine does: the template (TPMT_PUBLIC) of an ECC key with these attributes."""
    ecc, sha256, null, ecdsa, p256 = 0x23, 0x0b, 0x10, 0x18, 0x03
    template = struct.pack(">HHIHHHHHHHH", ecc, sha256, attributes, 0, null, ecdsa, sha256, p256, null, 0, 0)
    (directory / "template").write_bytes(template)
    for command in (["tpm2_nvdefine", "-C", "o", "-s", str(len(template)), "-a", "ownerread|ownerwrite|authread", index],
                    ["tpm2_nvwrite", "-C", "o", "-i", directory / "template", index]):
        done = machine.tpm2(*command)
        assert done.returncode == 0, done.stderr


def test_an_attestation_key_of_the_machines_maker(site, pair, tmp_path):
    """As on Google Cloud."""
    restricted_signing = 0x00050072
    machine = Machine(tmp_path / "m", provision=False)
    leave_template(machine, "0x01c10003", restricted_signing, tmp_path)
    verifier = None
    try:
        done = machine.provision("--pcrs", machine.pcrs, "--ak-template", "0x01c10003")
        assert done.returncode == 0, done.stderr
        again = machine.provision("--pcrs", machine.pcrs, "--ak-template", "0x01c10003")
        assert again.returncode == 0 and "already provisioned" in again.stdout
        verifier = Verifier(tmp_path / "verifier", [machine])
        made = pair(ingress={"identity": machine.identity(), "verifier": verifier.settings()},
                    ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                    egress={"identity": {"attester": "none"}, "verifier": verifier.settings()},
                    egress_tunnel={"require_attestation": True})
        assert ask(made.egress_port) == b"hello"
        assert made.egress.last_connection()["verdict"] == "affirming"
        made.ingress.stop()
    finally:
        if verifier:
            verifier.stop()
        machine.stop()


def test_a_template_that_is_of_no_attestation_key(tmp_path):
    unrestricted = 0x00040072
    machine = Machine(tmp_path / "m", provision=False)
    try:
        leave_template(machine, "0x01c10003", unrestricted, tmp_path)
        done = machine.provision("--ak-template", "0x01c10003")
        assert done.returncode == 2 and "attestation key" in done.stderr
        assert not machine.state.exists()
    finally:
        machine.stop()


def endorse(machine, state, *options):
    return run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", state, *options)


def inspect(file):
    return json.loads(run(BIN / "atls", "inspect", file).stdout)


def test_endorse_follows_the_pcrs(machine, tmp_path):
    """It says which have changed, and writes no trust anchor unless asked to."""
    state = tmp_path / "state"
    machine.provision("--pcrs", "sha256:8,9", state=state)
    before = contents(state)
    was = inspect(state / "reference-values.cbor")["reference_values"][0]["pcrs"]["sha256"]
    machine.extend(9)
    (state / "trust-anchor.cbor").unlink()
    done = endorse(machine, state, "--pcrs", "sha256:8,9")
    assert done.returncode == 0, done.stderr
    after = contents(state)
    assert set(before) - set(after) == {"trust-anchor.cbor"}
    assert after["identity.json"] == before["identity.json"]
    now = inspect(state / "reference-values.cbor")["reference_values"][0]["pcrs"]["sha256"]
    assert now["8"] == was["8"] and now["9"] != was["9"]
    changes = [line for line in done.stdout.splitlines() if "PCR" in line]
    assert changes == [f"  PCR 9 was {was['9']}, is {now['9']}"]
    done = endorse(machine, state, "--pcrs", "sha256:8,9", "--trust-anchor")
    assert done.returncode == 0, done.stderr
    assert contents(state) == {**after, "trust-anchor.cbor": before["trust-anchor.cbor"]}


def test_one_at_a_time_changes_a_state_directory(machine, tmp_path):
    state = tmp_path / "state"
    machine.provision(state=state)
    before = contents(state)
    holder = os.open(state, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    for done in (machine.provision(state=state), endorse(machine, state)):
        assert done.returncode == 2
        assert "state_busy" in done.stderr and str(state) in done.stderr
    assert contents(state) == before
    os.close(holder)
    assert endorse(machine, state).returncode == 0


def test_several_provision_at_once(machine, tmp_path):
    """One of them makes the identity; no other one takes away any of it."""
    state = tmp_path / "state"
    running = [subprocess.Popen([str(BIN / "atls"), "provision", "--tcti", machine.tcti,
                                 "--state-dir", str(state)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for _ in range(5)]
    made = 0
    for one in running:
        out, errors = one.communicate(timeout=60)
        made += "provisioned this machine" in out
        assert one.returncode == 0 or "state_busy" in errors, errors
    assert made == 1
    assert set(contents(state)) == {"identity.json", "trust-anchor.cbor", "reference-values.cbor",
                                    "ak.pem"}
    der = run("openssl", "pkey", "-pubin", "-in", state / "ak.pem", "-outform", "DER", text=False).stdout
    assert inspect(state / "trust-anchor.cbor")["trust_anchors"][0]["spki"] == der.hex()
    assert "already provisioned" in machine.provision(state=state).stdout


def test_a_failure_takes_away_only_what_was_made(machine, tmp_path):
    state = tmp_path / "state"
    (state / "ak.pem").mkdir(parents=True)  # no file can take its place
    for name in ("trust-anchor.cbor", "reference-values.cbor", "notes"):
        (state / name).write_text("of somebody else")
    done = machine.provision(state=state)
    assert done.returncode == 2 and "ak.pem is not a regular file" in done.stderr
    (state / "ak.pem").rmdir()
    assert contents(state) == {name: b"of somebody else" for name in
                               ("trust-anchor.cbor", "reference-values.cbor", "notes")}


def test_a_symbolic_link_in_the_state_directory_is_not_followed(machine, tmp_path):
    """Whoever owns the directory cannot have root write elsewhere."""
    state = tmp_path / "state"
    machine.provision(state=state)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    for name in ("reference-values.cbor.new", "endorsements.cbor", "endorsements.cbor.new"):
        (state / name).symlink_to(victim)
    assert endorse(machine, state).returncode == 0
    (state / "reference-values.cbor").unlink()
    (state / "reference-values.cbor").symlink_to(victim)
    done = endorse(machine, state)
    assert done.returncode == 2 and "is not a regular file" in done.stderr
    assert victim.read_text() == "precious" and victim.stat().st_mode & 0o777 == 0o600


def test_every_form_of_endorsements_is_understood(site, tmp_path):
    """By atls inspect, and by atls-verifier, whose directory may hold several at once."""
    endorsements = tmp_path / "v/endorsements"
    endorsements.mkdir(parents=True)
    for release in RELEASES:
        done = endorse(site.server, site.server.state, "--for", release, "--trust-anchor")
        assert done.returncode == 0, done.stderr
        for file in ("trust-anchor.cbor", "reference-values.cbor"):
            shown = inspect(site.server.state / file)
            assert shown["profile"] == "tag:github.com/parallaxsecond,2023-03-03:tpm"
            shutil.copy(site.server.state / file, endorsements / f"{release}-{file}")
        assert inspect(endorsements / f"{release}-trust-anchor.cbor")["trust_anchors"] == \
            inspect(endorsements / f"{RELEASES[0]}-trust-anchor.cbor")["trust_anchors"]
    with Verifier(tmp_path / "v", []) as verifier:
        assert "1 trust anchors, 1 sets" in verifier.log(), verifier.log()
    done = endorse(site.server, site.server.state, "--for", "veraison-2")
    assert done.returncode == 2
    assert "--for veraison-2; expected one of veraison-main, veraison-2608" in done.stderr


# What the answers to a submission mean.

def problem(status, detail):
    return (status, {"Content-Type": "application/problem+json"}, json.dumps({"detail": detail}))


@pytest.mark.parametrize("answers, exit_code, words", [
    ([ProvisioningService.session("success")], 0, ["reference-values.cbor: accepted by http://127.0.0.1"]),
    ([ProvisioningService.session("failed", **{
        "failure-reason": "submit endorsement returned error: token already in store"})],
     0, ["reference-values.cbor: nothing to do, known already"]),
    ([(201, {"Location": "session/7"}, '{"status": "processing"}'), ProvisioningService.session("processing"),
      ProvisioningService.session("success")], 0, ["accepted by"]),
    ([(201, {}, '{"status": "processing"}')], 2, ["verifier_protocol", "Location"]),
    ([ProvisioningService.session("failed", **{"failure-reason": "invalid profile data: cbor.Tag"})], 2,
     ["provisioning_refused", "invalid profile data: cbor.Tag"]),
    ([problem(401, "wrong password")], 2, ["provisioning_refused", "wrong password", "Authorization"]),
    ([problem(415, "no active plugin found")], 2, ["provisioning_refused", "no active plugin", "--for"]),
    ([problem(400, "empty body")], 2, ["provisioning_refused", "status 400: empty body"]),
    ([(404, {}, "404 page not found")], 2, ["provisioning_refused", "provisioning service?"]),
    ([problem(500, "no connection")], 2, ["verifier_unavailable", "no connection"]),
    ([(200, {}, "<html>")], 2, ["verifier_protocol"]),
])
def test_answers_to_a_submission(site, answers, exit_code, words):
    with ProvisioningService(answers) as service:
        done = endorse(site.server, site.server.state, "--submit", f"{service.url}/site/")
    assert done.returncode == exit_code, done.stderr
    for word in words:
        assert word in done.stdout + done.stderr
    method, path, headers, body = service.requests[0]
    assert (method, path) == ("POST", "/site/endorsement-provisioning/v1/submit")
    assert headers["Content-Type"] == \
        'application/rim+cbor; profile="tag:github.com/parallaxsecond,2023-03-03:tpm"'
    assert headers["Accept"] == "application/vnd.veraison.provisioning-session+json"
    assert body == (site.server.state / "reference-values.cbor").read_bytes()
    for method, path, _, _ in service.requests[1:]:
        assert (method, path) == ("GET", "/site/endorsement-provisioning/v1/session/7")


def test_a_submission_over_https(site, tmp_path):
    """To a service of the CA alone, with the Authorization from its file; never that over http."""
    certificate, key = site.pki.issue("127.0.0.1", "IP:127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    secret = tmp_path / "authorization"
    secret.write_text("Basic c29tZWJvZHk6c2VjcmV0\n")
    options = ["--ca", site.pki.ca, "--authorization-file", secret, "--trust-anchor"]
    with ProvisioningService([ProvisioningService.session("success")], tls) as service:
        done = endorse(site.server, site.server.state, "--submit", service.url, *options)
        assert done.returncode == 0, done.stderr
        assert [r[3] for r in service.requests] == \
            [(site.server.state / name).read_bytes() for name in
             ("trust-anchor.cbor", "reference-values.cbor")]
        assert all(r[2]["Authorization"] == "Basic c29tZWJvZHk6c2VjcmV0" for r in service.requests)
        done = endorse(site.server, site.server.state, "--submit", service.url)
        assert done.returncode == 2 and "verifier_unavailable" in done.stderr
        assert len(service.requests) == 2
    done = endorse(site.server, site.server.state, "--submit", "http://veraison.example:9443", *options)
    assert done.returncode == 2 and "https only" in done.stderr
    done = endorse(site.server, site.server.state, "--ca", site.pki.ca)
    assert done.returncode != 0 and "--submit" in done.stderr


@pytest.mark.parametrize("options, words", [
    (["--tcti", "device:/dev/nothing"], ["tpm_unavailable", "/dev/nothing does not exist", "/dev/tpmrm0"]),
    (["--tcti", f"swtpm:host=127.0.0.1,port=1"], ["tpm_unavailable", "a TPM that answers there"]),
    (["--tcti", "nonsense:x"], ["tpm_unavailable", 'expected "device:PATH"']),
    (["--pcrs", "sha512:0"], ["tpm_pcr_bank", "tpm2_getcap pcrs"]),
    (["--pcrs", "sha1:0"], ["config_invalid", "expected a bank"]),
    (["--pcrs", "sha256:16"], ["can be reset by anybody"]),
    (["--curve", "P-521"], ["expected P-256 or P-384"]),
    (["--class", "7"], ["expected a UUID"]),
    (["--handle", "0x1"], ["0x81000000 to 0x817ffffe"]),
    (["--handle", "0x81000000x"], ["0x81000000 to 0x817ffffe"]),
    (["--ak-template", "0x81000000"], ["0x1000000 to 0x1ffffff"]),
    (["--ak-template", "0x01c10003"], ["tpm_failed", "TPM2_NV_ReadPublic"]),
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
    """As when the firmware no longer has the bank that the keys were made for."""
    machine.provision(state=tmp_path / "state")
    file = tmp_path / "state/identity.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"bank": "sha512"}))
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
    assert "expected a JWK, a JWK Set or PEM public keys" in done.stderr


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
