"""Services whose certificates carry Evidence (RA-TLS): a plain TLS server with a self-made certificate, an egress
atlsd, the reference Verifier with test roots."""
import contextlib

import pytest

from confidential_vm import VECTORS, endorse
from harness import BIN, Admin, Atlsd, Verifier, connect, free_ports, run
from ra_tls import QUOTES, RaTlsServer, self_signed

ACCEPTS = {"require_attestation": True, "accepts": ["ra-tls"], "unsafe_no_freshness": True}


@pytest.fixture
def stage(tmp_path):
    """Starts a service, a Verifier that knows it, and an egress atlsd before it; gives the latter and its port."""
    with contextlib.ExitStack() as running:
        endorse(tmp_path / "verifier")
        verifier = running.enter_context(Verifier(tmp_path / "verifier", []))

        def start(server, tunnel=None, **document):
            service = running.enter_context(server)
            port = free_ports()
            egress = running.enter_context(Atlsd(tmp_path, {
                "identity": {"attester": "none"}, "verifier": verifier.settings(), **document,
                "tunnels": [{"name": "t", "role": "egress", "listen": f"127.0.0.1:{port}",
                             "target": f"127.0.0.1:{service.port}", **(ACCEPTS if tunnel is None else tunnel)}]},
                "egress"))
            return egress, port

        yield start


def passes(port):
    with connect(port) as s:
        s.sendall(b"through")
        return s.recv(100) == b"through"


def refusal(egress, port):
    with connect(port) as s:
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    line = egress.last_connection()
    return line["reason"], line.get("detail", "")


@pytest.mark.parametrize("kind", QUOTES)
@pytest.mark.parametrize("form", ["tagged", "gramine", "open enclave", "ego"])
def test_a_service_is_attested_by_its_certificate(stage, tmp_path, kind, form):
    egress, port = stage(RaTlsServer(tmp_path / "service", kind, form))
    assert passes(port)
    line = egress.last_connection()
    assert line["verdict"] == "affirming" and line["attestation"].endswith("in its certificate")
    assert "accepts Evidence in certificates, which may be of any age" in egress.log()


DEBUG = {"tdx": {48 + 120: b"\x01"}, "sgx": {48 + 48: b"\x07"}}
MEASUREMENT = {"tdx": {48 + 136: b"\x01" * 48}, "sgx": {48 + 64: b"\x01" * 32}}


@pytest.mark.parametrize("kind", QUOTES)
def test_a_service_that_can_be_debugged_is_refused(stage, tmp_path, kind):
    egress, port = stage(RaTlsServer(tmp_path / "service", kind, changed=DEBUG[kind]))
    assert refusal(egress, port)[0] == f"{kind}_debug"


@pytest.mark.parametrize("kind", QUOTES)
def test_a_service_of_another_measurement_is_refused(stage, tmp_path, kind):
    egress, port = stage(RaTlsServer(tmp_path / "service", kind, changed=MEASUREMENT[kind]))
    reason, detail = refusal(egress, port)
    assert reason == "ear_not_affirming" and "not among the reference values" in detail


def test_evidence_about_another_key_is_refused(stage, tmp_path):
    """Somebody puts the extension of a genuine service into a certificate of his own."""
    genuine = self_signed("tdx")
    egress, port = stage(RaTlsServer(tmp_path / "service", "tdx", extension_of=genuine))
    assert refusal(egress, port)[0] == "certificate_key_mismatch"


def test_a_quote_about_other_claims_is_refused(stage, tmp_path):
    """Claims about the own key, beside a genuine service's quote."""
    egress, port = stage(RaTlsServer(tmp_path / "service", "tdx", claims_over=lambda claims: claims + b"x"))
    assert refusal(egress, port)[0] == "report_data_mismatch"


def test_a_plain_service_is_refused(stage, tmp_path):
    egress, port = stage(RaTlsServer(tmp_path / "service", "tdx", form="none"))
    assert refusal(egress, port)[0] == "peer_not_attested"


def test_certificates_are_not_accepted_by_default(stage, tmp_path):
    egress, port = stage(RaTlsServer(tmp_path / "service", "tdx"), {"require_attestation": True})
    assert refusal(egress, port)[0] == "peer_not_attested"


def test_certificates_will_do_beside_evidence_where_both_are_accepted(stage, tmp_path):
    both = {**ACCEPTS, "accepts": ["evidence", "ra-tls"]}
    _, port = stage(RaTlsServer(tmp_path / "service", "sgx"), both)
    assert passes(port)


def test_rules_are_about_what_the_certificate_carries(stage, tmp_path):
    rules = [{"name": "signer", "require": {"evidence.sgx.mrsigner": "00" * 32}}]
    egress, port = stage(RaTlsServer(tmp_path / "service", "sgx"), {**ACCEPTS, "policy": {"rules": rules}})
    assert refusal(egress, port)[0] == "policy_requirement"


def test_the_metric_counts_the_tunnel(stage, tmp_path):
    stage(RaTlsServer(tmp_path / "service", "tdx"), admin={"listen": f"unix:{tmp_path}/admin.sock"})
    assert Admin(tmp_path / "admin.sock").metric("atlsd_insecure_mode", tunnel="t", mode="no_freshness") == 1


@pytest.mark.parametrize("name", ["gramine-cert.pem", "intel-sgxsdk-cert.pem"])
def test_published_certificates_are_shown(name):
    shown = run(BIN / "atls", "inspect", VECTORS / "ra-tls" / name)
    assert shown.returncode == 0, shown.stderr
    assert '"mrenclave"' in shown.stdout
