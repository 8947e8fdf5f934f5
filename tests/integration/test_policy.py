"""The local policy's rules on the wire."""
import json
import re
import shutil

import pytest

from harness import BIN, PCRS, Machine, Verifier, ask, run

REQUIRE = {"require_attestation": True}
ATTEST = {"attest": True, "peer": {"unsafe_unauthenticated": True}}


@pytest.mark.parametrize("rule, reason", [
    ({"deny": {"evidence.bank": "sha256"}}, "policy_denied"),
    ({"require": {"evidence.pcrs": {"includes": [14]}}}, "policy_requirement"),
    ({"allow": {"pki.name": "orders.example"}}, "policy_not_allowed"),
])
def test_a_rule_refuses(pair, rule, reason):
    p = pair(egress={"policy": {"rules": [rule]}}, ingress_tunnel=ATTEST, egress_tunnel=REQUIRE)
    assert ask(p.egress_port) == b""
    line = p.egress.last_connection()
    assert line["reason"] == reason and "policy.rules[0]" in line["detail"] + "policy.rules[0]"
    assert p.application.accepted == 0


def test_a_tunnel_adds_rules_to_the_common_ones(site, pair):
    common = {"rules": [{"require": {"ear.status": "affirming"}}]}
    own = {"rules": [{"name": "one machine", "allow": {"evidence.kid": "01" + "00" * 32}}]}
    p = pair(egress={"policy": common}, ingress_tunnel=ATTEST, egress_tunnel={**REQUIRE, "policy": own})
    assert ask(p.egress_port) == b""
    assert p.egress.last_connection()["reason"] == "policy_not_allowed"
    p.__exit__()
    own["rules"].append({"allow": {"evidence.kid": site.server.kid}})
    p = pair(egress={"policy": common}, ingress_tunnel=ATTEST, egress_tunnel={**REQUIRE, "policy": own})
    assert ask(p.egress_port) == b"hello"


def test_a_dry_run_says_whom_it_would_refuse(pair):
    p = pair(egress={"policy": {"dry_run": True, "rules": [{"name": "x", "deny": {"evidence.bank": "sha256"}}]}},
             ingress_tunnel=ATTEST, egress_tunnel=REQUIRE)
    assert ask(p.egress_port) == b"hello"
    line = p.egress.last_connection()
    assert line["verdict"] == "affirming" and line["level"] == "warning"
    assert re.match(r'policy_denied: .*policy.rules\[0\] "x"', line["would_refuse"])
    assert "dry run" in p.egress.log()


def test_refused_pcrs_are_named_as_far_as_known(site, pair, tmp_path):
    """After an update of which the Verifier does not know yet: with the reference values of before
    and after at hand, the log says which PCR it is."""
    machine = Machine(tmp_path / "machine")
    old, new = tmp_path / "old.cbor", tmp_path / "new.cbor"
    with Verifier(tmp_path / "v", [machine, site.client]) as verifier:
        shutil.copy(machine.state / "reference-values.cbor", old)
        machine.extend(3)
        done = run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", machine.state)
        assert done.returncode == 0, done.stderr
        shutil.copy(machine.state / "reference-values.cbor", new)

        def refusal(*files):
            p = pair(server=machine, ingress_tunnel=ATTEST, egress_tunnel=REQUIRE,
                     egress={"policy": {"reference_values": [str(file) for file in files]} if files else {}},
                     egress_verifier=verifier.settings())
            assert ask(p.egress_port) == b""
            line = p.egress.last_connection()
            p.__exit__()
            assert line["reason"] == "ear_not_affirming"
            assert f"; quoted {PCRS}, digest " in line["detail"]
            return line["detail"]

        nothing = refusal()
        digest = nothing.rsplit("digest ", 1)[1]
        assert re.fullmatch("[0-9a-f]{64}", digest)
        assert "expect digest" in refusal(old) and "PCR" not in refusal(old).split("quoted")[1]
        both = refusal(old, new, machine.state / "trust-anchor.cbor")
        before, after = (json.loads(run(BIN / "atls", "inspect", file).stdout)
                         ["reference_values"][0]["pcrs"]["sha256"]["3"] for file in (old, new))
        assert f", PCR 3 {before} and not {after}" in both and both.count(", PCR") == 1
        assert both.endswith("expect this digest")
    machine.stop()


def test_reference_values_that_are_none(site, tmp_path):
    (tmp_path / "notes.cbor").write_text("hello")
    file = tmp_path / "atlsd.json"
    for name, words in (("notes.cbor", "policy.reference_values"), ("nowhere.cbor", "nowhere.cbor")):
        file.write_text(json.dumps({
            "verifier": site.verifier.settings(), "policy": {"reference_values": name},
            "tunnels": [{"name": "t", "role": "egress", "listen": "127.0.0.1:0", "target": "127.0.0.1:1",
                         "require_attestation": True}]}))
        done = run(BIN / "atlsd", "--config", file)
        assert done.returncode == 1
        assert words in done.stderr and str(tmp_path / name) in done.stderr, done.stderr
