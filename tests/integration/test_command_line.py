"""atls probe, inspect and policy test, as an operator uses them."""
import json
import re

import pytest

from harness import BIN, MEDIA_TYPE, TOP, Verifier, free_ports, run

VECTORS = TOP / "tests/vectors"
ANYBODY = {"peer": {"unsafe_unauthenticated": True}}


def atls(*arguments, code=0):
    done = run(BIN / "atls", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def server(pair):
    """The port of an ingress atlsd that attests to anybody."""
    return pair(ingress_tunnel={"attest": True, **ANYBODY}).ingress_port


@pytest.fixture
def known_verifier(site):
    return ["--verifier", site.verifier.url, "--result-key", site.verifier.result_key]


# probe

def test_probe_of_a_good_server(site, server, known_verifier):
    report = json.loads(atls("probe", f"127.0.0.1:{server}", *known_verifier, "--json").stdout)
    assert report["verdict"] == "accepted" and "reason" not in report
    assert report["tls"]["version"] == "TLSv1.3" and report["tls"]["attestation"]["peer_presents"] == MEDIA_TYPE
    assert report["evidence"]["kid"] == site.server.kid
    assert report["evidence"]["pcrs"] == [*range(8), 9]
    assert {"fixedTPM", "fixedParent", "sensitiveDataOrigin", "sign"} <= set(
        report["evidence"]["key"]["attributes"])
    assert [step["outcome"] for step in report["steps"]] == ["ok"] * 7
    assert report["verifier"] == site.verifier.url
    assert report["attestation_result"]["submodules"]["PARSEC_TPM"]["status"] == "affirming"
    assert report["attestation_result"]["nonce"] == report["evidence"]["binder"]
    times = report["times_ms"]
    assert times["handshake"] >= times["appraisal"] >= times["verifier"] > 0
    text = atls("probe", f"127.0.0.1:{server}", *known_verifier).stdout
    assert "verdict: accepted" in text and site.server.kid in text


def test_probe_shows_the_step_that_refuses(site, server, known_verifier, tmp_path):
    def outcomes(*options):
        report = json.loads(atls("probe", f"127.0.0.1:{server}", "--json", *options, code=1).stdout)
        assert report["verdict"] == "refused"
        return report["reason"], [step["outcome"] for step in report["steps"]], report

    reason, steps, _ = outcomes(*known_verifier, "--pcrs", "sha256:0,14")
    assert reason == "pat_pcrs_missing"
    assert steps == ["ok"] * 3 + ["refused"] + ["not reached"] * 3
    with Verifier(tmp_path / "v", [site.client]) as stranger:
        reason, steps, report = outcomes("--verifier", stranger.url, "--result-key", stranger.result_key)
        assert reason == "ear_not_affirming"
        assert steps == ["ok"] * 5 + ["refused", "not reached"]
        assert report["attestation_result"]["submodules"]["PARSEC_TPM"]["status"] == "contraindicated"


def test_probe_of_a_server_without_attestation(pair, known_verifier):
    p = pair(ingress_tunnel=ANYBODY)
    done = atls("probe", f"127.0.0.1:{p.ingress_port}", *known_verifier, code=1)
    assert "verdict: refused, peer_not_attested" in done.stdout


def test_probe_of_a_server_that_demands_attestation(pair, known_verifier):
    p = pair()
    done = atls("probe", f"127.0.0.1:{p.ingress_port}", *known_verifier, code=1)
    assert "the server may demand that its clients attest" in done.stdout
    assert "--config FILE" in done.stdout


def test_probe_that_cannot_judge(site, server, known_verifier):
    dead = ["--verifier", f"http://127.0.0.1:{free_ports()}", "--result-key", site.verifier.result_key]
    done = atls("probe", f"127.0.0.1:{server}", *dead, code=2)
    assert "verdict: not judged, verifier_unavailable" in done.stdout
    done = atls("probe", f"127.0.0.1:{free_ports()}", *known_verifier, code=2)
    assert "verdict: not judged, target_unreachable" in done.stdout
    assert "expected --config FILE" in atls("probe", "127.0.0.1:1", code=2).stderr


def test_probe_with_a_configuration_attests_too(site, pair):
    p = pair()
    p.egress.stop()  # a software TPM serves one program at a time
    report = json.loads(atls("probe", f"127.0.0.1:{p.ingress_port}", "--json", "--config",
                             p.egress.log_path.with_suffix(".json")).stdout)
    assert report["verdict"] == "accepted" and report["times_ms"]["own_evidence"] > 0


# inspect, policy test: on what a probe has kept

@pytest.fixture
def recorded(server, known_verifier, tmp_path):
    evidence, result = tmp_path / "evidence.cmw", tmp_path / "result.jwt"
    atls("probe", f"127.0.0.1:{server}", *known_verifier, "--evidence-out", evidence, "--ear-out", result)
    return evidence, result


def test_inspect_what_was_recorded(site, recorded):
    evidence, result = recorded
    shown = json.loads(atls("inspect", evidence).stdout)
    assert shown["kind"] == "CMW" and shown["type"] == MEDIA_TYPE
    assert shown["value"]["kid"] == site.server.kid
    shown = json.loads(atls("inspect", result, "--result-key", site.verifier.result_key).stdout)
    assert shown["kind"] == "Attestation Result" and shown["signature"] == "valid"
    shown = json.loads(atls("inspect", result, "--result-key", site.server.state / "ak.pem").stdout)
    assert shown["signature"] == "not by this key"
    shown = json.loads(atls("inspect", site.server.state / "trust-anchor.cbor").stdout)
    assert shown["kind"] == "CoRIM" and shown["trust_anchors"][0]["kid"] == site.server.kid
    assert "reference_values" not in shown
    shown = json.loads(atls("inspect", site.server.state / "reference-values.cbor").stdout)
    assert shown["kind"] == "CoRIM" and "trust_anchors" not in shown
    assert len(shown["reference_values"][0]["pcrs"]["sha256"]) == 9


def test_inspect_published_documents():
    kinds = {"ear/veraison-full-vector.jwt": "Attestation Result",
             "ear/ietf-ear-json-1.json": "Attestation Result",
             "parsec-tpm/evidence-valid.cbor": "PARSEC_TPM Evidence",
             "parsec-tpm/corim-valid.cbor": "CoRIM",
             "corim/signed-good-corim.cbor": "CoRIM",
             "cmw/collection-ok.json": "CMW",
             "cmw/collection-cbor-ok.cbor": "CMW"}
    for name, kind in kinds.items():
        assert json.loads(atls("inspect", VECTORS / name).stdout)["kind"] == kind, name


def test_inspect_rubbish(tmp_path):
    file = tmp_path / "rubbish"
    for content in (b"", b"rubbish", b"\xff" * 100, b"{}", b"eyJ.a.b"):
        file.write_bytes(content)
        assert atls("inspect", file, code=2).stderr.startswith("atls: ")
    assert "No such file" in atls("inspect", tmp_path / "none", code=2).stderr


def test_policy_test_gives_a_verdict_per_rule(site, recorded, tmp_path):
    evidence, result = recorded
    config = tmp_path / "policy.json"
    config.write_text(json.dumps({
        "verifier": site.verifier.settings(),
        "policy": {"rules": [{"require": {"ear.status": "affirming"}},
                             {"name": "known", "allow": {"evidence.kid": site.server.kid}}]},
        "tunnels": [{"name": "strict", "role": "egress", "listen": "127.0.0.1:1", "target": "127.0.0.1:2",
                     "require_attestation": True,
                     "policy": {"dry_run": True, "rules": [
                         {"require": {"evidence.clock_ms": {"at_most": 1}}},
                         {"require": {"ear.age_s": {"at_most": 60}}}]}}]}))
    common = ["policy", "test", "--config", config, "--evidence", evidence, "--ear", result]
    assert atls(*common).stdout.splitlines() == [
        "ok        policy.rules[0] require", 'ok        policy.rules[1] allow "known"',
        "verdict: accepted"]
    shown = atls(*common, "--tunnel", "strict", "--age", "61", code=1).stdout.splitlines()
    assert shown[2].startswith("REFUSES   tunnels[0].policy.rules[0] require: evidence.clock_ms is ")
    assert shown[3] == 'REFUSES   tunnels[0].policy.rules[1] require: ear.age_s is 61, expected {"at_most":60}'
    assert "note: evidence.clock_ms: Signed by the peer's TPM, whose owner can set it forward, never back" in shown
    assert any(line.startswith("note: dry_run: ") for line in shown)
    assert shown[-1].startswith("verdict: refused, policy_requirement")
    assert 'there is none of that name; there are "strict"' in atls(*common, "--tunnel", "nobody", code=2).stderr


def test_every_fact_that_is_shown_is_described(recorded, tmp_path):
    """What inspect and policy test show of a TPM's Evidence are the facts of the schema, but for those of other types; the
    binder is for no rule."""
    shown = json.loads(atls("inspect", recorded[0]).stdout)["value"]
    names = {"evidence." + name for name in shown if name not in ("kind", "key")}
    names |= {"evidence.key." + name for name in shown["key"]}
    schema = json.loads((TOP / "config/atlsd.schema.json").read_text())
    described = {name for name in schema["$defs"]["condition"]["properties"]
                 if name != "evidence.pcr_values"
                 and not re.match(r"evidence\.(tee$|(snp|tdx|sgx|cca|azure|sample)\.)", name)}
    assert names - {"evidence.binder"} == {name for name in described if name.startswith("evidence.")}
    config = tmp_path / "bare.json"
    config.write_text(json.dumps({"tunnels": {"name": "t", "role": "egress", "listen": "127.0.0.1:1", "target": "b:1",
                                              "peer": {"unsafe_unauthenticated": True}}}))
    told = atls("policy", "test", "--facts", "--config", config, "--evidence", recorded[0], "--ear", recorded[1])
    facts = dict(line.split(None, 1)[1].split(" = ") for line in told.stdout.splitlines() if line.startswith("fact "))
    assert set(facts) == described and facts["ear.status"] == '"affirming"'
    assert "note: rules: there are none in common" in told.stdout


@pytest.mark.parametrize("program, arguments, told", [
    ("atls", ["polcy"], 'polcy: is not known; did you mean "policy"?'),
    ("atls", ["policy", "tets"], 'tets: is not known; did you mean "test"?'),
    ("atls", ["inspect", "--result-kye", "x", "y"], 'did you mean "--result-key"?'),
    ("atls", [], "A subcommand is required"),
    ("atls", ["probe"], "HOST:PORT is required"),
    ("atlsd", ["--chek"], 'did you mean "--check"?'),
    ("atlsd", [], "--config is required"),
    ("atlsd", ["--config", "x", "--takeover", "minus"], "--takeover"),
    ("atls-verifier", ["--endorsement", "x"], 'did you mean "--endorsements"?'),
    ("atls-verifier", [], "is required"),
])
def test_a_mistyped_command_line_is_told_and_ends_with_2(program, arguments, told):
    done = run(BIN / program, *arguments)
    assert done.returncode == 2 and told in done.stderr, done.stdout + done.stderr
    assert run(BIN / program, "--help").returncode == 0
    assert run(BIN / program, "--version").returncode == 0
