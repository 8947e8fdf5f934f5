"""Passports: Attestation Results that an attester fetches and presents itself."""
import json

import pytest

from harness import Admin, FaultyVerifier, Verifier, ask, free_ports, wait_until

NAME = "verifier.test"
ANYBODY = {"unsafe_unauthenticated": True}


class Passports:
    """A pair whose ingress side presents passports that it fetches from `verifier`, and whose egress side
    accepts them and can reach no Verifier at all."""

    def __init__(self, pair, directory, site, verifier, attests=None, accepts=None, knows=None):
        self.verifier = verifier
        unreachable = f"http://127.0.0.1:{free_ports()}"
        issuer = {"url": verifier.url, "result_key": str(getattr(verifier, "result_key", site.verifier.result_key)),
                  "identity": NAME}
        log = {"format": "json", "refusals_per_second": 1000}
        self.pair = pair(
            ingress={"verifier": issuer, "admin": {"listen": f"unix:{directory}/admin.sock"}, "log": log},
            egress={"verifier": {**issuer, "url": unreachable, **(knows or {})}, "log": log,
                    "policy": {"clock_skew": "1ms"}},
            ingress_tunnel={"attest": "passport", "peer": ANYBODY, **(attests or {})},
            egress_tunnel={"require_attestation": True, "accepts": "passport", **(accepts or {})})
        self.admin = Admin(directory / "admin.sock")
        self.count = 0

    def passes(self):
        self.count += 1
        return ask(self.pair.egress_port) == b"hello"

    def admitted(self):
        assert self.passes(), self.pair.egress.log()
        line = self.pair.egress.last_connection(self.count)
        assert line["verdict"] == "affirming" and line["kid"] == "", line

    def refused(self, reason, side="egress"):
        accepted = self.pair.application.accepted
        assert not self.passes()
        line = getattr(self.pair, side).last_connection(self.count)
        assert line["verdict"] == "refused" and line["reason"] == reason, line
        assert self.pair.application.accepted == accepted
        return line

    def about(self):
        """What the attester says of its only passport."""
        one, = json.loads(self.admin.get("/attestation"))["passports"]
        assert one["verifier"] == NAME
        return one

    def why_not_ready(self):
        return self.admin.ask("GET", "/readyz")[1]


@pytest.fixture
def passports(site, pair, tmp_path):
    def make(verifier, **more):
        return Passports(pair, tmp_path, site, verifier, **more)
    return make


# Who asks whom.

def test_the_verifier_is_asked_by_the_attester_alone_and_in_advance(site, passports):
    with FaultyVerifier(site.verifier) as verifier:
        p = passports(verifier)
        asked = len(verifier.requests)
        assert asked == 2
        for _ in range(5):
            p.admitted()
        assert len(verifier.requests) == asked
        about = p.about()
        assert about["valid_until"] and "last_failure" not in about and "fresh" not in about


def test_a_client_presents_a_passport(site, pair, tmp_path):
    issuer = site.verifier.settings(identity=NAME)
    passport = {"attest": "passport", "require_attestation": True, "accepts": "passport"}
    p = pair(ingress={"verifier": issuer}, egress={"verifier": issuer}, ingress_tunnel=passport,
             egress_tunnel=passport)
    assert ask(p.egress_port) == b"hello"
    for side in (p.egress, p.ingress):
        assert side.last_connection()["verdict"] == "affirming"


def test_evidence_is_accepted_beside_passports(site, passports):
    """By a Relying Party that reaches a Verifier, from an attester that shows Evidence."""
    p = passports(site.verifier, attests={"attest": "evidence"}, accepts={"accepts": ["passport", "evidence"]},
                  knows={"url": site.verifier.url})
    assert p.passes()
    assert p.pair.egress.last_connection()["kid"] == site.server.kid


# Until when.

def test_a_passport_is_used_without_its_verifier_until_it_is_too_old(site, passports):
    """By a Relying Party that is stricter than the attester thinks."""
    with FaultyVerifier(site.verifier) as verifier:
        p = passports(verifier, attests={"passport": {"max_age": "1h"}}, accepts={"passport": {"max_age": "15s"}})
    p.admitted()
    wait_until("the passport is too old", lambda: not p.passes())
    p.refused("passport_expired")


def test_a_passport_that_has_expired_is_not_offered_and_replaced_when_its_verifier_is_back(site, passports, tmp_path):
    with Verifier(tmp_path / "brief", [site.server], lifetime=12) as verifier:
        p = passports(verifier)
        p.admitted()
    wait_until("the passport has expired", lambda: "passport_expired" in p.why_not_ready())
    p.refused("peer_not_attested")
    assert "verifier_unavailable" in p.about()["last_failure"]
    with Verifier(tmp_path / "brief", [site.server], lifetime=600, port=verifier.port):
        wait_until("a new passport", p.passes)
        p.admitted()
        assert "last_failure" not in p.about()
        wait_until("readiness", lambda: p.why_not_ready() == "ok\n")


def test_a_passport_is_renewed_before_it_ends(site, passports, tmp_path):
    with Verifier(tmp_path / "brief", [site.server], lifetime=10) as verifier:
        p = passports(verifier)
        seen = {p.about()["valid_until"]}

        def renewed_twice():
            p.admitted()
            seen.add(p.about()["valid_until"])
            return len(seen) > 2
        wait_until("two renewals", renewed_twice)


def test_an_attester_starts_without_its_verifier(site, passports, tmp_path):
    port = free_ports()
    with Verifier(tmp_path / "late", [site.server]) as verifier:
        pass
    verifier.url = f"http://127.0.0.1:{port}"
    p = passports(verifier)
    p.refused("peer_not_attested")
    assert "passport_unavailable" in p.why_not_ready()
    with Verifier(tmp_path / "late", [site.server], port=port):
        wait_until("a passport", p.passes)


# Whose.

def test_who_accepts_evidence_alone_refuses_a_passport(site, passports):
    p = passports(site.verifier, accepts={"accepts": "evidence"})
    line = p.refused("no_common_attestation_scheme", "ingress")
    assert NAME in line["detail"]


def test_a_passport_of_another_verifier_is_refused(site, passports):
    p = passports(site.verifier, knows={"identity": "another.test"})
    line = p.refused("no_common_attestation_scheme", "ingress")
    assert NAME in line["detail"] and "another.test" in line["detail"]


def test_a_passport_that_another_key_signed_is_refused(site, passports, tmp_path):
    with Verifier(tmp_path / "another", [site.server]) as another:
        p = passports(site.verifier, knows={"result_key": str(another.result_key)})
    p.refused("ear_signature")


def test_a_machine_that_its_verifier_does_not_affirm_has_no_passport(site, passports, tmp_path):
    with Verifier(tmp_path / "strict", [site.client]) as strict:
        p = passports(strict)
        p.refused("peer_not_attested")
        assert "ear_not_affirming" in p.about()["last_failure"]


# Fresh ones.

FRESH = {"passport": {"fresh": True}}


def test_a_fresh_passport_is_issued_within_its_handshake(site, passports):
    with FaultyVerifier(site.verifier) as verifier:
        p = passports(verifier, attests=FRESH, accepts=FRESH)
        assert not [path for _, path, _ in verifier.requests if "/challenge-response/" in path]
        for count in (1, 2, 3):
            p.admitted()
            submitted = [path for _, path, _ in verifier.requests if "/session/" in path]
            assert len(submitted) == len(set(submitted)) == count
        assert p.about()["fresh"]


def test_without_its_verifier_there_are_no_fresh_passports(site, passports, tmp_path):
    with Verifier(tmp_path / "stopped", [site.server]) as verifier:
        p = passports(verifier, attests=FRESH, accepts=FRESH)
        p.admitted()
    p.refused("verifier_unavailable", "ingress")


def test_a_passport_of_another_session_is_not_fresh(site, passports):
    p = passports(site.verifier, accepts=FRESH)
    p.refused("ear_nonce")


def test_a_verifiers_old_answer_is_not_fresh(site, passports):
    """One Attestation Result serves one handshake."""
    kept = []

    def replay(real):
        document = json.loads(real[2])
        kept.append(document["result"])
        return real[0], real[1], json.dumps({**document, "result": kept[0]}).encode()

    with FaultyVerifier(site.verifier, replay) as verifier:
        p = passports(verifier, attests=FRESH, accepts=FRESH)
        p.admitted()
        p.refused("ear_nonce", "ingress")
