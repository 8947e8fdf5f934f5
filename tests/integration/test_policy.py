"""The local policy's rules on the wire."""
import json
import re

import pytest

from harness import BIN, ask, run

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
