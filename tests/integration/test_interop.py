"""Other implementations: a Verifier on go-tpm with Veraison's APIs and appraisal (tests/interop), in
the dialect of each release, and Veraison's Attestation Results in Rust."""
import json
import pathlib
import subprocess

import pytest

from harness import BIN, MEDIA_TYPE, Machine, ask, run
from interop import CACHE, RELEASES, OtherVerifier

pytestmark = pytest.mark.skipif(not CACHE, reason="without --interop, and Go is not there")


@pytest.fixture(params=RELEASES)
def verifier(site, tmp_path, request):
    with OtherVerifier(tmp_path, request.param) as made:
        made.enrol(site.server)
        made.enrol(site.client)
        yield made


def test_each_release_takes_its_own_form_of_endorsements_only(site, tmp_path):
    for release in RELEASES:
        with OtherVerifier(tmp_path, release) as verifier:
            for form in RELEASES:
                done = verifier.provision(site.server, "--trust-anchor", release=form)
                if form == release:
                    assert done.returncode == 0, (release, form, done.stderr)
                    continue
                assert done.returncode == 2, (release, form)
                assert "provisioning_refused" in done.stderr, (release, form, done.stderr)
                # Under the name of its own form too.
                anchor = (site.server.state / "trust-anchor.cbor").read_bytes()
                assert verifier.submit(anchor)[0] == "failed", (release, form)


def test_trust_anchors_once_and_twice(site, pair, verifier, tmp_path):
    """The same CoRIM again is nothing new. The anchor in another CoRIM is a second anchor, and then
    nothing of that machine is appraised any more."""
    done = verifier.provision(site.server, "--trust-anchor")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing to do, known already") == 2
    p = pair(ingress_verifier=verifier.settings(), egress_verifier=verifier.settings())
    assert ask(p.egress_port) == b"hello"
    again = bytearray((site.server.state / "trust-anchor.cbor").read_bytes())
    assert again[:6] == bytes.fromhex("d901f5a30050")  # then the CoRIM's own identifier
    again[6] ^= 1
    assert verifier.submit(bytes(again))[0] == "success"
    assert ask(p.egress_port) == b""
    assert "expected exactly one trust anchor, got 2" in p.egress.last_connection(2)["detail"]


def test_provisioning_asks_who_submits(site, tmp_path):
    secret = tmp_path / "authorization"
    secret.write_text("Basic c29tZWJvZHk6c2VjcmV0\n")
    with OtherVerifier(tmp_path, "veraison-2608", "-authorization", "Basic c29tZWJvZHk6c2VjcmV0") as v:
        done = v.provision(site.server)
        assert done.returncode == 2 and "provisioning_refused" in done.stderr
        done = v.provision(site.server, "--authorization-file", secret)
        assert done.returncode == 0, done.stderr


def test_mutual_attestation(site, pair, verifier):
    p = pair(ingress_verifier=verifier.settings(), egress_verifier=verifier.settings())
    assert ask(p.egress_port) == b"hello"
    assert p.egress.last_connection()["kid"] == site.server.kid
    assert p.ingress.last_connection()["kid"] == site.client.kid


def test_changed_pcr_and_unknown_key(pair, verifier, tmp_path):
    """A PCR that does not match is "none" there, or an error, not a contraindication: refused all
    the same. New reference values help, and come without the trust anchor."""
    machine = Machine(tmp_path / "machine")
    try:
        p = pair(server=machine, ingress_verifier=verifier.settings(), egress_verifier=verifier.settings())
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection()
        assert line["reason"] == "ear_not_affirming" and "no trust anchor" in line["detail"]
        verifier.enrol(machine)
        assert ask(p.egress_port) == b"hello"
        machine.extend(3)
        assert ask(p.egress_port) == b""
        line = p.egress.last_connection(3)
        if verifier.release == "veraison-2602":
            assert "status 500" in line["detail"]
        else:
            assert line["reason"] == "ear_not_affirming" and "status none" in line["detail"]
        done = verifier.provision(machine)
        assert done.returncode == 0, done.stderr
        assert "PCR 3 was" in done.stdout and "trust-anchor" not in done.stdout
        assert ask(p.egress_port) == b"hello"
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
