"""The whole way of an Azure confidential VM's Evidence: a vTPM (software) with an HCL report, the metadata
service (a stand-in), two atlsd, the reference Verifier with test roots, an application."""
import contextlib
import json
import shutil

import pytest

from azure_vm import AzureVm
from confidential_vm import VECTORS, endorse
from harness import BIN, MEDIA_TYPE, Verifier, run
from test_confidential_vms import ATTESTS, SNP_POLICY, attested_by, passes, refusal

KINDS = ["snp", "tdx"]
TYPE = "application/vnd.atlsd.azure-vtpm+cbor"
MEASURED = {"snp": 0x90, "tdx": 48 + 136}


@pytest.fixture
def vm(tmp_path):
    """Makes machines, which end with the test."""
    with contextlib.ExitStack() as running:
        def make(kind, name="vm", **more):
            return running.enter_context(AzureVm(tmp_path / name, kind, **more))
        yield make


@pytest.fixture
def verifier(tmp_path):
    """Starts the Verifier that knows the hardware of both kinds, and what the PCRs of these machines are to be;
    of no machine does it know the attestation key."""
    with contextlib.ExitStack() as running:
        def start(*machines, **changed):
            directory = tmp_path / "verifier"
            endorse(directory, **changed)
            for i, machine in enumerate(machines):
                shutil.copy(machine.state / "reference-values.cbor", directory / f"endorsements/{i}.cbor")
            return running.enter_context(Verifier(directory, []))
        yield start


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_attest_by_their_vtpm_and_hardware(vm, verifier, pair, kind):
    server, client = vm(kind), vm(kind, "client")
    judges = verifier(server, client)
    made = pair(ingress={"identity": server.identity(), "verifier": judges.settings()},
                egress={"identity": client.identity(), "verifier": judges.settings()},
                ingress_tunnel=ATTESTS, egress_tunnel=ATTESTS)
    for _ in range(3):
        assert passes(made.egress_port)
    assert made.egress.last_connection(3)["verdict"] == "affirming"
    assert made.ingress.last_connection(3)["verdict"] == "affirming"
    assert made.egress.last_connection(3)["kid"] == server.kid


@pytest.mark.parametrize("kind", KINDS)
def test_rules_are_about_the_facts_of_tpm_and_hardware(vm, verifier, pair, kind):
    machine = vm(kind)
    made = attested_by(pair, verifier(machine), machine.identity(), {"policy": {"rules": [
        {"require": {"evidence.type": TYPE, "evidence.tee": f"azure-{kind}", "evidence.key.resident": "tpm",
                     "evidence.azure.secure_boot": True, f"evidence.{kind}.version": {"snp": 3, "tdx": 4}[kind]}}]}})
    assert passes(made.egress_port)


@pytest.mark.parametrize("kind", KINDS)
def test_passports(vm, verifier, pair, kind):
    machine = vm(kind)
    judges = verifier(machine)
    made = pair(ingress={"identity": machine.identity(), "verifier": judges.settings()},
                egress={"identity": {"attester": "none"}, "verifier": judges.settings()},
                ingress_tunnel={"attest": "passport", "peer": {"unsafe_unauthenticated": True}},
                egress_tunnel={"require_attestation": True, "accepts": "passport"})
    assert passes(made.egress_port)


REFUSED = {
    "snp debug": ("snp", {SNP_POLICY + 2: b"\x0b"}, "snp_debug"),
    "snp vmpl": ("snp", {0x30: b"\x01"}, "snp_vmpl"),
    "tdx debug": ("tdx", {48 + 120: b"\x01"}, "tdx_debug"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hardware_that_is_open_to_its_host_is_refused(vm, verifier, pair, name):
    kind, changed, reason = REFUSED[name]
    machine = vm(kind, changed=changed)
    assert refusal(attested_by(pair, verifier(machine), machine.identity()))[0] == reason


@pytest.mark.parametrize("kind", KINDS)
def test_another_paravisor_is_refused(vm, verifier, pair, kind):
    machine = vm(kind, changed={MEASURED[kind]: b"\x01" * 48})
    reason, detail = refusal(attested_by(pair, verifier(machine), machine.identity()))
    assert reason == "ear_not_affirming" and "the hardware: " in detail and "not among" in detail


def test_hardware_of_another_maker_is_refused(vm, verifier, pair):
    machine = vm("snp")
    judges = verifier(machine, **{"snp__ark_dot_pem": (VECTORS / "tdx/root.pem").read_bytes()})
    reason, detail = refusal(attested_by(pair, judges, machine.identity()))
    assert reason == "ear_not_affirming" and "pki_untrusted" in detail


def test_another_boot_chain_is_refused(vm, verifier, pair):
    machine = vm("snp")
    judges = verifier(machine)
    machine.extend(4)
    reason, detail = refusal(attested_by(pair, judges, machine.identity()))
    assert reason == "ear_not_affirming" and "the TPM: the PCRs" in detail


def test_a_vtpm_that_the_hardware_does_not_vouch_for_is_found_at_the_start(vm, verifier, pair):
    """The machine itself knows that nobody would believe it."""
    machine = vm("snp", forged_key=True)
    with pytest.raises(AssertionError, match="azure_ak_signature"):
        attested_by(pair, verifier(machine), machine.identity())


def start_of(tmp_path, identity):
    """What atlsd says where it cannot start."""
    file = tmp_path / "atlsd.json"
    tunnel = {"name": "a", "role": "ingress", "listen": "127.0.0.1:0", "target": "127.0.0.1:1", "attest": True,
              "peer": {"unsafe_unauthenticated": True}}
    file.write_text(json.dumps({"identity": identity, "tunnels": [tunnel]}))
    done = run(BIN / "atlsd", "--config", file)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_a_machine_that_is_no_azure_vm_is_told_so(site, tmp_path):
    said = start_of(tmp_path, {**site.server.identity(), "attester": "azure"})
    assert "is this an Azure confidential VM?" in said and "0x01400001" in said


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_metadata_service_what_it_said_before_counts(vm, verifier, pair, tmp_path, kind):
    machine = vm(kind)
    machine.metadata.answers = False
    said = start_of(tmp_path, machine.identity())
    assert "azure_metadata" in said and "status 503" in said and machine.metadata.url in said
    judges = verifier(machine)
    for answers in (True, False):
        machine.metadata.answers = answers
        made = attested_by(pair, judges, machine.identity())
        assert passes(made.egress_port)
        # The TPM takes one program at a time.
        made.ingress.stop()
    # What was kept of another boot is of no use.
    (machine.state / "azure-endorsement").write_bytes(b"another")
    assert "azure_metadata" in start_of(tmp_path, machine.identity())


def test_a_verifier_that_knows_the_tpm_alone_is_shown_that_where_it_is_spelled_out(vm, pair, tmp_path):
    machine = vm("snp")
    with Verifier(tmp_path / "verifier", [machine]) as judges:
        # It has no scheme for the whole.
        policy = {"policy": {"azure": {"unsafe_tpm_only": True}, "rules": [{"require": {"evidence.type": TYPE}}]}}
        made = attested_by(pair, judges, machine.identity(), policy)
        assert passes(made.egress_port)
        assert "TPM of Azure VMs alone" in made.egress.log()


def test_the_tpm_alone_can_be_offered_too(vm, site, pair, tmp_path):
    machine = vm("snp")
    identity = {**machine.identity(), "attester": ["azure", "tpm"]}
    with Verifier(tmp_path / "verifier", [machine]) as judges:
        made = pair(ingress={"identity": identity, "verifier": site.verifier.settings()},
                    ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                    egress={"identity": {"attester": "none"},
                            "verifier": {**judges.settings(), "evidence": MEDIA_TYPE}},
                    egress_tunnel={"require_attestation": True})
        assert passes(made.egress_port)
