"""Other implementations: a Verifier on go-tpm with Veraison's API and appraisal (tests/interop), in
its released and its newer dialect, and Veraison's Attestation Results in Rust."""
import http.client
import json
import os
import pathlib
import subprocess

import pytest

from harness import BIN, MEDIA_TYPE, Machine, Process, ask, free_ports, is_listening, run

CACHE = os.environ.get("ATLS_INTEROP")
pytestmark = pytest.mark.skipif(not CACHE, reason="without --interop, and Go is not there")
SESSION = "application/vnd.veraison.challenge-response-session+json"


class OtherVerifier(Process):
    def __init__(self, directory, dialect):
        self.port = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.result_key = directory / "result.jwk"
        options = ["-next"] if dialect == "next" else []
        super().__init__([pathlib.Path(CACHE) / "verifier", "-listen", f"127.0.0.1:{self.port}",
                          "-result-key", self.result_key, *options],
                         directory / "verifier.log", lambda: is_listening(self.port))
        self.expected_exit = (-15,)
        self.form = "endorsements.cbor" if dialect == "next" else "endorsements-ueid.cbor"

    def request(self, method, path, body=b"", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        return reply, reply.read()

    def provision(self, machine):
        reply, body = self.request("POST", "/endorsement-provisioning/v1/submit",
                                   (machine.state / self.form).read_bytes(),
                                   Content_Type="application/rim+cbor")
        assert reply.status == 200 and json.loads(body)["status"] == "success", body

    def appraise(self, evidence, media_type):
        reply, body = self.request("POST", "/challenge-response/v1/newSession?nonce=" + "A" * 43 + "%3D",
                                   Accept=SESSION)
        assert reply.status == 201, body
        location = "/challenge-response/v1/" + reply.getheader("Location")
        return self.request("POST", location, evidence, Accept=SESSION, Content_Type=media_type)

    def settings(self):
        return {"url": self.url, "result_key": str(self.result_key)}


@pytest.fixture(params=["released", "next"])
def verifier(site, tmp_path, request):
    with OtherVerifier(tmp_path, request.param) as made:
        made.provision(site.server)
        made.provision(site.client)
        yield made


def test_mutual_attestation(site, pair, verifier):
    p = pair(ingress_verifier=verifier.settings(), egress_verifier=verifier.settings())
    assert ask(p.egress_port) == b"hello"
    assert p.egress.last_connection()["kid"] == site.server.kid
    assert p.ingress.last_connection()["kid"] == site.client.kid


def test_changed_pcr_and_unknown_key(pair, verifier, tmp_path):
    """A PCR that does not match is "none" there, not a contraindication: refused all the same."""
    machine = Machine(tmp_path / "machine")
    try:
        p = pair(server=machine, ingress_verifier=verifier.settings(), egress_verifier=verifier.settings())
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection()
        assert line["reason"] == "ear_not_affirming" and "no trust anchor" in line["detail"]
        verifier.provision(machine)
        assert ask(p.egress_port) == b"hello"
        machine.extend(3)
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection(3)
        assert line["reason"] == "ear_not_affirming" and "status none" in line["detail"]
        p.__exit__()
    finally:
        machine.stop()


def test_evidence_bare_in_a_cmw_and_with_a_bad_signature(pair, verifier, tmp_path):
    p = pair(ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}})
    cmw = tmp_path / "evidence.cmw"
    done = run(BIN / "atls", "probe", f"127.0.0.1:{p.ingress_port}", "--verifier", verifier.url,
               "--result-key", verifier.result_key, "--evidence-out", cmw)
    assert done.returncode == 0, done.stdout
    wrapped = cmw.read_bytes()
    bare = wrapped[wrapped.index(MEDIA_TYPE.encode()) + len(MEDIA_TYPE) + 3:]

    def status(evidence, media_type):
        reply, body = verifier.appraise(evidence, media_type)
        assert reply.status == 200, body
        file = tmp_path / "session.json"
        file.write_bytes(body)
        shown = json.loads(run(BIN / "atls", "inspect", file).stdout)
        appraisal = shown["result"]["submodules"]["PARSEC_TPM"]
        return appraisal["status"], (appraisal["policy_claims"] or {}).get("problem", "")

    assert status(bare, MEDIA_TYPE) == ("affirming", "")
    assert status(wrapped, "application/vnd.veraison.cmw+cbor") == ("affirming", "")
    # The last byte of the quote's signature, which is the end of one of the four byte strings.
    at = bare.index(b"\x63sig", bare.index(b"\x63pat")) + 4
    size = bare[at + 1]
    broken = bytearray(bare)
    broken[at + 1 + size] ^= 1
    assert status(bytes(broken), MEDIA_TYPE)[1].startswith("integrity validation failed")
    reply, body = verifier.appraise(bare, "application/cbor")
    assert reply.status == 415 and json.loads(body)["title"] == "Unsupported Media Type"


def test_attestation_results_of_the_rust_library(tmp_path):
    """A CWT that it signs is read and verified here."""
    program = pathlib.Path(CACHE) / "ear/release/interop-ear"
    if not program.exists():
        pytest.skip("Rust is not there")
    key = tmp_path / "key.pem"
    assert run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-out", key).returncode == 0
    assert run("openssl", "pkey", "-in", key, "-pubout", "-out", f"{key}.pub").returncode == 0
    token = tmp_path / "result.cwt"
    token.write_bytes(subprocess.run([program, key], capture_output=True, check=True).stdout)
    done = run(BIN / "atls", "inspect", token, "--result-key", f"{key}.pub")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["signature"] == "valid"
    assert shown["nonce"] == "07" * 32
    assert shown["submodules"]["PARSEC_TPM"]["status"] == "affirming"
    assert shown["submodules"]["PARSEC_TPM"]["vector"]["hardware"] == 2
