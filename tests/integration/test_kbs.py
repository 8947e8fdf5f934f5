"""Trustee's Key Broker Service as the issuer of passports (mock_trustee.py), on Evidence of its sample TEE."""
import contextlib
import json

import pytest

from harness import Admin, Application, Atlsd, ask, echo, free_ports, wait_until
from mock_trustee import KBS_ERRORS, MockTrustee

NAME = "kbs.test"
ANYBODY = {"unsafe_unauthenticated": True}


class Passports:
    """A sample machine that shows passports of `kbs`, and a Relying Party that knows its key and cannot reach it."""

    def __init__(self, stack, site, directory, kbs, knows=None):
        self.kbs = kbs
        self.count = 0
        certificate, key = site.pki.issue("kbs-sample")
        self.application = stack.enter_context(Application(echo))
        machine_port, self.port = free_ports(), free_ports()
        settings = kbs.settings(type="kbs", identity=NAME)
        del settings["policy_ids"]
        self.machine = stack.enter_context(Atlsd(directory, {
            "identity": {"attester": "sample", "unsafe_sample": True, "certificate": str(certificate), "key": str(key)},
            "verifier": settings, "admin": {"listen": f"unix:{directory}/admin.sock"},
            "tunnels": [{"name": "t", "role": "ingress", "listen": f"127.0.0.1:{machine_port}",
                         "target": f"127.0.0.1:{self.application.port}", "attest": "passport", "peer": ANYBODY}]},
            "machine"))
        self.admin = Admin(directory / "admin.sock")
        known = settings | {"url": f"http://127.0.0.1:{free_ports()}"} | (knows or {})
        known = {name: value for name, value in known.items() if value is not None}
        self.egress = stack.enter_context(Atlsd(directory, {
            "verifier": known, "admin": {"enabled": False}, "log": {"format": "json", "refusals_per_second": 1000},
            "tunnels": [{"name": "t", "role": "egress", "listen": f"127.0.0.1:{self.port}",
                         "target": f"127.0.0.1:{machine_port}", "require_attestation": True,
                         "accepts": "passport"}]}, "egress"))

    def outcome(self):
        """(verdict, reason) of one connection, at the Relying Party."""
        self.count += 1
        served = self.application.accepted
        answer = ask(self.port)
        line = self.egress.last_connection(self.count)
        assert (answer == b"hello") == (line["verdict"] == "affirming")
        assert self.application.accepted == served + (line["verdict"] == "affirming")
        return line["verdict"], line.get("reason")

    def last_failure(self):
        one, = json.loads(self.admin.get("/attestation"))["passports"]
        return one.get("last_failure")


@pytest.fixture
def passports(site, tmp_path):
    with contextlib.ExitStack() as stack:
        def make(prepare=lambda kbs: None, **more):
            kbs = stack.enter_context(MockTrustee(tmp_path / "kbs"))
            prepare(kbs)
            return Passports(stack, site, tmp_path, kbs, **more)
        yield make


def test_a_passport_of_the_key_broker_is_accepted_without_asking_it(passports):
    p = passports()
    assert len(p.kbs.sessions) == 1
    for _ in range(3):
        assert p.outcome() == ("affirming", None)
    assert len(p.kbs.sessions) == 1
    assert p.last_failure() is None


def test_a_relying_party_that_takes_no_samples_refuses_it(passports):
    """What its "type" is does not matter: the same key may sign Veraison's results as well."""
    p = passports(knows={"type": "veraison", "unsafe_sample_tee": None})
    assert p.outcome() == ("refused", "ear_evidence")


def test_a_passport_about_another_key_is_not_kept(passports):
    """A service that vouches for somebody else's key: neither the attester nor its peers believe it."""
    def lie(kbs):
        def change(header, claims):
            annotated = claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
            annotated["runtime_data_claims"]["tee-pubkey"] = kbs.new_key("other").jwk
        kbs.change = change
    p = passports(lie)
    assert "ear_key_mismatch" in p.last_failure()
    assert p.outcome() == ("refused", "peer_not_attested")


@pytest.mark.parametrize("what, change, reason", [
    ("no runtime data", lambda a: a.update(runtime_data_claims=None), "ear_key_mismatch"),
    ("other report data", lambda a: a.update(report_data="AAAA"), "verifier_nonce"),
    ("another TEE beside", lambda a: a.update(snp={}), "ear_evidence")])
def test_a_result_about_something_else_is_not_kept(passports, what, change, reason):
    def lie(kbs):
        kbs.change = lambda header, claims: change(claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"])
    assert reason in passports(lie).last_failure()


def test_what_the_key_broker_refuses_is_told_and_tried_again(passports):
    def refuse(kbs):
        kbs.auth = lambda request: kbs.refusal("ProtocolVersion", "expected 9.9.9")
    p = passports(refuse)
    assert "verifier_rejected" in p.last_failure() and "expected 9.9.9" in p.last_failure()
    assert KBS_ERRORS in p.last_failure()
    assert p.outcome() == ("refused", "peer_not_attested")
    del p.kbs.auth
    wait_until("a passport", lambda: ask(p.port) == b"hello")


def test_a_session_is_the_cookies(passports):
    """Without the cookie of the session whose nonce it is, nothing is appraised."""
    def forget(kbs):
        honest = kbs.auth

        def auth(request):
            status, headers, body = honest(request)
            return status, {"Set-Cookie": "kbs-session-id=0123; Path=/"}, body
        kbs.auth = auth
    assert "no such session" in passports(forget).last_failure()
