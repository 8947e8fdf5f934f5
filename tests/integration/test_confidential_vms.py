"""The whole way of a confidential VM's Evidence: kernel and firmware (fake), two atlsd, the reference
Verifier with test roots, an application."""
import contextlib
import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from confidential_vm import KINDS, VECTORS, ConfidentialVm, can_mount, endorse
from harness import BIN, MEDIA_TYPE, Verifier, connect, run
from mock_trustee import MockTrustee

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs /dev/fuse and libfuse3-dev")

ATTESTS = {"attest": True, "require_attestation": True}


@pytest.fixture
def vm(tmp_path):
    """Makes machines, which end with the test."""
    with contextlib.ExitStack() as running:
        def make(kind, name="vm", **more):
            return running.enter_context(ConfidentialVm(tmp_path / name, kind, **more))
        yield make


@pytest.fixture
def verifier(tmp_path):
    """Starts the Verifier that knows all kinds of machines, or something else of some."""
    with contextlib.ExitStack() as running:
        def start(**changed):
            endorse(tmp_path / "verifier", **changed)
            return running.enter_context(Verifier(tmp_path / "verifier", []))
        yield start


def attested_by(pair, verifier, server, client_tunnel=None, **client):
    """A server in a confidential VM before a client that demands its Evidence."""
    return pair(ingress={"identity": server, "verifier": verifier.settings()},
                ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                egress={"identity": {"attester": "none"}, "verifier": verifier.settings(), **client},
                egress_tunnel={"require_attestation": True, **(client_tunnel or {})})


def passes(port, what=b"through"):
    with connect(port) as s:
        s.sendall(what)
        return s.recv(100) == what


def refusal(made, earlier=0):
    """The reason for which the client's atlsd did not connect, after so many earlier connections, and
    what it says about it."""
    with connect(made.egress_port) as s:
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    line = made.egress.last_connection(earlier + 1)
    return line["reason"], line.get("detail", "")


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_attest_by_their_firmware(vm, verifier, pair, kind):
    judges = verifier()
    made = pair(ingress={"identity": vm(kind).identity(), "verifier": judges.settings()},
                egress={"identity": vm(kind, "client").identity(), "verifier": judges.settings()},
                ingress_tunnel=ATTESTS, egress_tunnel=ATTESTS)
    for _ in range(3):
        assert passes(made.egress_port)
    assert made.egress.last_connection(3)["verdict"] == "affirming"
    assert made.ingress.last_connection(3)["verdict"] == "affirming"


SNP_POLICY = 0x08
REFUSED = {
    "snp debug": ("snp", {SNP_POLICY + 2: b"\x0b"}, "snp_debug"),
    "snp migration": ("snp", {SNP_POLICY + 2: b"\x07"}, "snp_migration"),
    "snp other measurement": ("snp", {0x90: b"\x01" * 48}, "ear_not_affirming"),
    "tdx debug": ("tdx", {48 + 120: b"\x01"}, "tdx_debug"),
    "tdx other measurement": ("tdx", {48 + 136: b"\x01" * 48}, "ear_not_affirming"),
    "tdx module not in production": ("tdx", {48 + 112: b"\x01"}, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_machine_that_is_not_as_it_should_be_is_refused(vm, verifier, pair, name):
    kind, changed, reason = REFUSED[name]
    if reason is None:  # it knows by itself that nobody would take its report
        machine = vm(kind, changed=changed)
        with pytest.raises(AssertionError, match="tdx_module"):
            attested_by(pair, verifier(), machine.identity())
        return
    assert refusal(attested_by(pair, verifier(), vm(kind, changed=changed).identity()))[0] == reason


def test_realms_with_another_measurement_are_refused(vm, verifier, pair):
    machine = vm("cca", template="cca/token-907-other-rim.cbor")
    reason, detail = refusal(attested_by(pair, verifier(), machine.identity()))
    assert reason == "ear_not_affirming" and "RIM" in detail


def test_old_firmware_is_refused(vm, verifier, pair):
    machine = vm("tdx", template="tdx/quote-v4-old-tcb.bin")
    reason, detail = refusal(attested_by(pair, verifier(), machine.identity()))
    assert reason == "ear_not_affirming" and "OutOfDate" in detail


def test_snp_firmware_older_than_the_verifier_takes_is_refused(vm, verifier, pair):
    judges = verifier(snp={"min_tcb": {"bootloader": 9, "tee": 0, "snp": 24, "microcode": 72}})
    reason, detail = refusal(attested_by(pair, judges, vm("snp").identity()))
    assert reason == "ear_not_affirming" and "expected at least" in detail


def test_a_machine_of_another_maker_is_refused(vm, verifier, pair):
    other_root = (VECTORS / "tdx/root.pem").read_bytes()
    judges = verifier(**{"snp__ark_dot_pem": other_root})
    reason, detail = refusal(attested_by(pair, judges, vm("snp").identity()))
    assert reason == "ear_not_affirming" and "pki_untrusted" in detail


def revoked_collateral():
    """The collateral, with a list on which the platform's certificate stands."""
    collateral = json.loads((VECTORS / "tdx/collateral.json").read_text())
    chain = (VECTORS / "tdx/pck-chain.pem").read_text().split("-----BEGIN")[1:]
    leaf, authority, _ = (x509.load_pem_x509_certificate(f"-----BEGIN{one}".encode()) for one in chain)
    key = serialization.load_pem_private_key((VECTORS / "tdx/keys/pck-platform-ca.key.pem").read_bytes(), None)
    now = datetime.datetime(2026, 1, 1)
    entry = x509.RevokedCertificateBuilder().serial_number(leaf.serial_number).revocation_date(now).build()
    crl = (x509.CertificateRevocationListBuilder().issuer_name(authority.subject).last_update(now)
           .next_update(datetime.datetime(2049, 1, 1)).add_revoked_certificate(entry).sign(key, hashes.SHA256()))
    collateral["pck_crl"] = crl.public_bytes(serialization.Encoding.DER).hex()
    return json.dumps(collateral).encode()


def test_a_revoked_platform_is_refused(vm, verifier, pair):
    judges = verifier(**{"tdx__collateral_dot_json": revoked_collateral()})
    reason, detail = refusal(attested_by(pair, judges, vm("tdx").identity()))
    assert reason == "ear_not_affirming" and "pki_revoked" in detail


def test_debug_is_taken_where_it_is_spelled_out(vm, verifier, pair):
    judges = verifier()
    made = attested_by(pair, judges, vm("snp", changed={SNP_POLICY + 2: b"\x0b"}).identity(),
                       {"policy": {"snp": {"unsafe_debug": True}}})
    # The Verifier has a mind of its own.
    reason, detail = refusal(made)
    assert reason == "ear_not_affirming" and "debugged" in detail
    assert "accepts SNP guests whose host may look into them" in made.egress.log()


@pytest.mark.parametrize("kind", KINDS)
def test_rules_are_about_the_facts_of_each_kind(vm, verifier, pair, kind):
    """A rule for what it is passes, a rule against it refuses."""
    judges = verifier()
    made = attested_by(pair, judges, vm(kind).identity(), {"policy": {"rules": [
        {"name": "of this kind", "require": {"evidence.tee": kind, "evidence.key.resident": "none"}}]}})
    assert passes(made.egress_port)


def test_rules_can_demand_a_key_in_a_tpm(vm, verifier, pair):
    made = attested_by(pair, verifier(), vm("snp").identity(), {"policy": {"rules": [
        {"name": "resident", "require": {"evidence.key.resident": "tpm"}}]}})
    reason, detail = refusal(made)
    assert reason == "policy_requirement" and "evidence.key.resident" in detail


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_passports_of_each_kind(vm, verifier, pair, kind, fresh):
    judges = verifier()
    passport = {"passport": {"fresh": fresh}}
    made = pair(ingress={"identity": vm(kind).identity(), "verifier": judges.settings()},
                egress={"identity": {"attester": "none"}, "verifier": judges.settings()},
                ingress_tunnel={"attest": "passport", "peer": {"unsafe_unauthenticated": True}, **passport},
                egress_tunnel={"require_attestation": True, "accepts": "passport", **passport})
    assert passes(made.egress_port)


@pytest.mark.parametrize("kind", KINDS)
def test_trustee_appraises_each_kind(vm, pair, tmp_path, kind):
    with MockTrustee(tmp_path / "trustee") as trustee:
        trustee.policies.add("atls_cpu")
        settings = trustee.settings()
        del settings["unsafe_sample_tee"]
        made = pair(ingress={"identity": vm(kind).identity(), "verifier": settings},
                    egress={"identity": {"attester": "none"}, "verifier": settings},
                    ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                    egress_tunnel={"require_attestation": True})
        assert passes(made.egress_port)
        assert trustee.requests[-1]["verification_requests"][0]["tee"] == kind

        def of_another_tee(header, claims):
            annotated = claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
            annotated["sample"] = annotated.pop(kind)

        trustee.change = of_another_tee
        assert refusal(made, earlier=1)[0] == "ear_evidence"


def test_a_busy_platform_is_asked_again(vm, verifier, pair):
    ebusy = 16
    made = attested_by(pair, verifier(), vm("tdx", fails_with=ebusy, failures=3).identity())
    assert passes(made.egress_port)


@pytest.mark.parametrize("errno, reason, says", [
    (25, "tsm_unavailable", "wiped"), (6, "tsm_unavailable", "no provider"), (22, "tsm_failed", "privlevel"),
    (110, "tsm_timeout", "did not answer"), (0, "tsm_failed", "made no report")])
def test_what_the_platform_fails_with_is_said(vm, tmp_path, errno, reason, says):
    machine = vm("snp", fails_with=errno, failures=1000)
    file = tmp_path / "atlsd.json"
    tunnel = {"name": "a", "role": "ingress", "listen": "127.0.0.1:0", "target": "127.0.0.1:1", "attest": True,
              "peer": {"unsafe_unauthenticated": True}}
    file.write_text(json.dumps({"identity": machine.identity(), "tunnels": [tunnel]}))
    done = run(BIN / "atlsd", "--config", file)
    assert done.returncode == 1
    assert reason in done.stderr + done.stdout and says in done.stderr + done.stdout


def test_more_handshakes_than_the_platform_can_serve(vm, verifier, pair):
    """Those that it cannot reach in time are refused at once, the others served."""
    made = attested_by(pair, verifier(), vm("tdx", takes_ms=500).identity())
    waiting = [connect(made.egress_port) for _ in range(40)]
    for s in waiting:
        s.sendall(b"through")
    passed = 0
    for s in waiting:
        with s, contextlib.suppress(ConnectionResetError):
            passed += s.recv(100) == b"through"
    made.ingress.last_connection(len(waiting))
    reasons = [line.get("reason", "ok") for line in made.ingress.connections()]
    assert passed > 5 and reasons.count("ok") == passed
    # Where it was a matter of milliseconds they have waited in vain.
    assert reasons.count("tsm_overloaded") + reasons.count("tsm_timeout") == len(waiting) - passed
    assert reasons.count("tsm_overloaded") > 2 * reasons.count("tsm_timeout")


def test_under_an_svsm_the_floor_is_asked_for(vm, verifier, pair):
    made = attested_by(pair, verifier(), vm("snp", privlevel_floor=2).identity(),
                       {"policy": {"snp": {"max_vmpl": 2}}})
    assert passes(made.egress_port)


def test_a_privilege_level_that_is_too_low_is_refused(vm, verifier, pair):
    made = attested_by(pair, verifier(), vm("snp", privlevel_floor=2).identity())
    assert refusal(made)[0] == "snp_vmpl"


def test_certificates_come_from_files_where_the_host_gives_none(vm, verifier, pair, tmp_path):
    machine = vm("snp", without_certificates=True)
    chain = tmp_path / "vcek-chain.pem"
    chain.write_text("".join((VECTORS / f"snp/{name}.pem").read_text() for name in ("vcek", "ask", "ark")))
    made = attested_by(pair, verifier(), machine.identity(certificates=str(chain)))
    assert passes(made.egress_port)


def of_type(media_type):
    return {"policy": {"rules": [{"require": {"evidence.type": media_type}}]}}


@pytest.mark.parametrize("kind", ["tdx", "tpm"])
def test_of_two_roots_of_trust_a_peer_gets_the_one_that_it_takes(vm, verifier, site, pair, kind):
    machine = vm("tdx")
    identity = {**site.server.identity(), "attester": ["tsm", "tpm"], "tsm": machine.identity()["tsm"]}
    media_type, judges = {"tdx": (machine.kind["type"], verifier), "tpm": (MEDIA_TYPE, lambda: site.verifier)}[kind]
    judges = judges()
    made = pair(ingress={"identity": identity, "verifier": site.verifier.settings()},
                ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                egress={"identity": {"attester": "none"}, "verifier": {**judges.settings(), "evidence": media_type}},
                egress_tunnel={"require_attestation": True, **of_type(media_type)})
    assert passes(made.egress_port)


@pytest.mark.parametrize("preferred", ["tsm", "tpm"])
def test_of_two_roots_of_trust_the_first_is_preferred(vm, verifier, site, pair, preferred):
    """Where the peer takes both."""
    machine = vm("tdx")
    other = {"tsm": "tpm", "tpm": "tsm"}[preferred]
    identity = {**site.server.identity(), "attester": [preferred, other], "tsm": machine.identity()["tsm"]}
    media_type, judges = {"tsm": (machine.kind["type"], verifier), "tpm": (MEDIA_TYPE, lambda: site.verifier)}[preferred]
    made = attested_by(pair, judges(), identity, of_type(media_type))
    assert passes(made.egress_port)


def test_a_root_of_trust_that_is_not_there_is_left_out(site, pair, tmp_path):
    identity = {**site.server.identity(), "attester": ["tsm", "tpm"], "tsm": {"root": str(tmp_path / "none")}}
    made = attested_by(pair, site.verifier, identity, of_type(MEDIA_TYPE))
    assert passes(made.egress_port)
    assert "goes on without a root of trust: tsm_unavailable" in made.ingress.log()
