"""Trustee's Attestation Service as the Verifier, on Evidence of its sample TEE (mock_trustee.py)."""
import base64
import contextlib
import hashlib
import http.client
import json
import ssl
import time

import pytest

from harness import MEDIA_TYPE, PATIENCE, Application, Atlsd, FaultyVerifier, ask, echo, free_ports, wait_until
from mock_trustee import DEVELOPER, MockTrustee, base64url, canonical, from_base64url

SAMPLE = "application/vnd.atlsd.sample-tee+json"
ANYBODY = {"unsafe_unauthenticated": True}
# What the Relying Party pins.
POLICY = {"appraisal_policy_id": "atls", "verifier_id": {"developer": DEVELOPER}}


def post(service, path, document, **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()


def add_policy(trustee):
    rego = base64url(b"package policy\n")
    assert post(trustee, "/policy", {"policy_id": "atls_cpu", "policy": rego})[0] == 200


def sample_machine(site, directory, port, application):
    """An ingress atlsd that shows Evidence of the sample TEE to anybody."""
    certificate, key = site.pki.issue(f"sample-{port}")
    return Atlsd(directory, {
        "identity": {"attester": "sample", "unsafe_sample": True, "certificate": str(certificate), "key": str(key)},
        "admin": {"enabled": False},
        "tunnels": [{"name": "t", "role": "ingress", "listen": f"127.0.0.1:{port}",
                     "target": f"127.0.0.1:{application.port}", "attest": True, "peer": ANYBODY}]}, "sample")


def relying_party(directory, verifiers, targets, **more):
    """(an egress atlsd that demands attestation, its port for each of the targets)"""
    ports = [free_ports() for _ in targets]
    tunnels = [{"name": f"t{i}", "role": "egress", "listen": f"127.0.0.1:{port}", "target": f"127.0.0.1:{target}",
                "require_attestation": True} for i, (port, target) in enumerate(zip(ports, targets))]
    atlsd = Atlsd(directory, {"verifier": verifiers, "policy": POLICY, "admin": {"enabled": False},
                              "log": {"format": "json", "refusals_per_second": 1000}, "tunnels": tunnels, **more},
                  "egress")
    return atlsd, ports


class Sidecars:
    """A sample machine and a Relying Party before it, for many tests."""

    def __init__(self, trustee, application, machine_port, machine, egress, port):
        self.trustee = trustee
        self.application = application
        self.machine_port = machine_port
        self.machine = machine
        self.egress = egress
        self.port = port

    def refused(self, reason):
        """The line about it: nothing comes back, and nothing reached the application."""
        logged, served = len(self.egress.connections()), self.application.accepted
        assert ask(self.port) == b""
        line = self.egress.last_connection(logged + 1)
        assert line["verdict"] == "refused" and line["reason"] == reason, line
        assert line["bytes_sent"] == line["bytes_recv"] == 0
        assert self.application.accepted == served
        return line


@pytest.fixture(scope="module")
def shared(site, tmp_path_factory):
    directory = tmp_path_factory.mktemp("trustee")
    with contextlib.ExitStack() as stack:
        trustee = stack.enter_context(MockTrustee(directory / "as"))
        add_policy(trustee)
        application = stack.enter_context(Application(echo))
        machine_port = free_ports()
        machine = stack.enter_context(sample_machine(site, directory, machine_port, application))
        egress, ports = relying_party(directory, trustee.settings(), [machine_port])
        stack.enter_context(egress)
        yield Sidecars(trustee, application, machine_port, machine, egress, ports[0])


@pytest.fixture
def sidecars(shared):
    yield shared
    shared.trustee.be_honest()
    shared.trustee.key = shared.trustee.published[0]


@pytest.fixture
def other_party(shared, tmp_path):
    """Makes another Relying Party before the same machine: it and its port."""
    with contextlib.ExitStack() as stack:
        def make(verifiers, **more):
            atlsd, ports = relying_party(tmp_path, verifiers, [shared.machine_port], **more)
            return stack.enter_context(atlsd), ports[0]

        yield make


@pytest.fixture
def https(site):
    """A server's ssl.SSLContext for 127.0.0.1, from the site's authority."""
    certificate, key = site.pki.issue("trustee", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


# What is good.

def test_a_sample_machine_is_admitted(sidecars):
    asked, logged, seen = len(sidecars.trustee.requests), len(sidecars.egress.connections()), \
        len(sidecars.machine.connections())
    assert ask(sidecars.port) == b"hello"
    line = sidecars.egress.last_connection(logged + 1)
    assert (line["verdict"], line["attestation"], line["kid"]) == ("affirming", SAMPLE, "")
    line = sidecars.machine.last_connection(seen + 1)
    assert (line["verdict"], line["own_attestation"]) == ("unattested", SAMPLE)
    # One request, as Trustee takes it.
    request, = sidecars.trustee.requests[asked:]
    assert set(request) == {"verification_requests", "policy_ids"} and request["policy_ids"] == ["atls"]
    one, = request["verification_requests"]
    assert set(one) == {"tee", "evidence", "runtime_data"} and one["tee"] == "sample"
    assert set(one["runtime_data"]) == {"raw"}
    binder = from_base64url(one["runtime_data"]["raw"])
    assert len(binder) in (32, 48)
    evidence = json.loads(from_base64url(one["evidence"]))
    assert evidence == {"svn": "1", "report_data": base64.b64encode(binder).decode()}


def test_each_handshake_is_bound_to_itself(sidecars):
    asked = len(sidecars.trustee.requests)
    for _ in range(3):
        assert ask(sidecars.port) == b"hello"
    raw = [one["verification_requests"][0]["runtime_data"]["raw"] for one in sidecars.trustee.requests[asked:]]
    assert len(set(raw)) == 3


def test_without_a_policy_of_our_own_the_default_one_counts(shared, other_party):
    atlsd, port = other_party(shared.trustee.settings(policy_ids=[]), policy={"appraisal_policy_id": "default"})
    assert ask(port) == b"hello"
    assert shared.trustee.requests[-1]["policy_ids"] == []
    assert atlsd.last_connection()["verdict"] == "affirming"


@pytest.mark.parametrize("svn, reason", [("1", None), ("2", "policy_requirement")])
def test_rules_about_the_sample_tee(shared, other_party, svn, reason):
    rules = {"rules": [{"require": {"evidence.sample.svn": svn}}, {"require": {"ear.vector.hardware": 2}}]}
    atlsd, port = other_party(shared.trustee.settings(), policy={**POLICY, **rules})
    assert ask(port) == (b"" if reason else b"hello")
    assert atlsd.last_connection().get("reason") == reason


# The key by discovery.

def test_the_key_is_discovered_and_rotated(site, shared, other_party, https, tmp_path):
    with MockTrustee(tmp_path / "as", tls=https) as trustee:
        trustee.policies.add("atls_cpu")
        settings = trustee.settings(ca=str(site.pki.ca), retired_key_grace="1s")
        del settings["result_key"]
        atlsd, port = other_party(settings)
        assert ask(port) == b"hello"
        # It signs with another key now, and says so.
        old, new = trustee.key, trustee.new_key("new")
        trustee.key, trustee.published = new, [new]
        time.sleep(1.1)
        assert ask(port) == b"hello"
        time.sleep(1.1)
        trustee.key = old
        assert ask(port) == b""
        assert atlsd.last_connection(3)["reason"] == "ear_signature"
        # Both, while it changes over.
        trustee.published = [new, old]
        time.sleep(1.1)
        assert ask(port) == b"hello"


# Lies in the result. Each is a function of the claims.

def appraisal(claims):
    return claims["submods"]["cpu0"]


def annotated(claims):
    return appraisal(claims)["ear.veraison.annotated-evidence"]


def with_vector(status=None, **entries):
    def change(claims):
        appraisal(claims)["ear.trustworthiness-vector"] |= entries
        if status:
            appraisal(claims)["ear.status"] = status
    return change


def with_times(iat, exp):
    def change(claims):
        now = int(time.time())
        claims |= {"iat": now + iat, "exp": now + exp}
    return change


def with_report_data(written):
    def change(claims):
        text = written(base64.b64decode(annotated(claims)["report_data"]))
        annotated(claims)["report_data"] = text if isinstance(text, str) else text.decode()
    return change


LIES = {
    # About other Evidence.
    "other-report-data": ("verifier_nonce", with_report_data(lambda real: base64.b64encode(bytes(len(real))))),
    "padded-report-data": ("verifier_nonce", with_report_data(lambda real: base64.b64encode(real.ljust(64, b"\0")))),
    "report-data-as-another-tee-writes-it": ("verifier_nonce", with_report_data(bytes.hex)),
    "no-report-data": ("verifier_protocol", lambda c: annotated(c).pop("report_data")),
    "no-annotated-evidence": ("verifier_protocol", lambda c: appraisal(c).pop("ear.veraison.annotated-evidence")),
    "another-tee": ("ear_evidence", lambda c: annotated(c).update(snp=annotated(c).pop("sample"))),
    "another-tee-beside-it": ("ear_evidence", lambda c: annotated(c).update(snp={"measurement": "00"})),
    "no-tee": ("ear_evidence", lambda c: annotated(c).pop("sample")),
    "a-tee-that-is-no-object": ("ear_evidence", lambda c: annotated(c).update(sample="1")),
    # Another submodule.
    "another-submodule": ("ear_submodule", lambda c: c["submods"].update(cpu1=c["submods"].pop("cpu0"))),
    "two-submodules": ("ear_submodule", lambda c: c["submods"].update(cpu1=c["submods"]["cpu0"])),
    "a-device-beside-it": ("ear_submodule", lambda c: c["submods"].update(gpu0=c["submods"]["cpu0"])),
    # Another verdict.
    "contraindicated": ("ear_not_affirming", with_vector("contraindicated", executables=33, hardware=97)),
    "warning": ("ear_not_affirming", with_vector("warning", configuration=36)),
    "no-verdict": ("ear_not_affirming", with_vector("none")),
    "better-than-its-vector": ("ear_contradiction", with_vector(executables=33)),
    "nothing-of-the-hardware": ("policy_vector", with_vector(hardware=0)),
    "nothing-of-the-executables": ("policy_vector", with_vector(executables=0)),
    # By another policy, or another service.
    "another-policy": ("ear_policy_id", lambda c: appraisal(c).update({"ear.appraisal-policy-id": "default"})),
    "the-policy-as-it-is-stored": ("ear_policy_id",
                                   lambda c: appraisal(c).update({"ear.appraisal-policy-id": "atls_cpu"})),
    "no-policy": ("ear_policy_id", lambda c: appraisal(c).pop("ear.appraisal-policy-id")),
    "another-developer": ("ear_verifier_id", lambda c: c["ear.verifier-id"].update(developer="https://example.com")),
    "another-profile": ("ear_profile", lambda c: c.update(eat_profile="tag:github.com,2023:veraison/ear")),
    # At another time.
    "expired": ("ear_expired", with_times(-30, -10)),
    "old": ("ear_stale", with_times(-120, 180)),
    "from-the-future": ("ear_from_future", with_times(60, 360)),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_result_is_refused(sidecars, name):
    reason, change = LIES[name]
    sidecars.trustee.change = lambda header, claims: change(claims)
    sidecars.refused(reason)
    # The service is asked again: what it says of one peer is not held against others.
    sidecars.trustee.be_honest()
    assert ask(sidecars.port) == b"hello"


def test_another_key_is_refused_though_the_header_shows_it(sidecars):
    sidecars.trustee.key = sidecars.trustee.new_key("another")
    sidecars.refused("ear_signature")
    sidecars.trustee.change = lambda header, claims: header.update(jwk=sidecars.trustee.published[0].jwk)
    sidecars.refused("ear_signature")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384"])
def test_another_algorithm_is_refused(sidecars, algorithm):
    sidecars.trustee.change = lambda header, claims: header.update(alg=algorithm)
    sidecars.refused("ear_algorithm")


def test_a_changed_signature_is_refused(sidecars):
    def flip(status, token):
        signature = bytearray(from_base64url(token.rsplit(".", 1)[1]))
        signature[-1] ^= 1
        return status, f"{token.rsplit('.', 1)[0]}.{base64url(signature)}"

    sidecars.trustee.answer = flip
    sidecars.refused("ear_signature")


# Lies in the answer.

@pytest.mark.parametrize("status, text, reason", [
    (200, "", "verifier_protocol"),
    (200, "<html>", "verifier_protocol"),
    (200, "{}", "verifier_protocol"),
    (200, "ey.ey.ey", "verifier_protocol"),
    (200, "\xff" * 1000, "verifier_protocol"),
    (404, "", "verifier_rejected"),
    (500, "An internal error occured: \n0: attestation report evaluate", "verifier_rejected"),
    (503, "", "verifier_rejected"),
], ids=["empty", "html", "no-result", "no-token", "rubbish", "404", "500", "503"])
def test_an_answer_that_is_none_is_refused(sidecars, status, text, reason):
    sidecars.trustee.answer = lambda *_: (status, text)
    line = sidecars.refused(reason)
    assert sidecars.trustee.url in line["detail"]


def test_claims_that_nobody_signed_are_refused(sidecars):
    def unsigned(status, token):
        return status, from_base64url(token.split(".")[1]).decode()

    sidecars.trustee.answer = unsigned
    sidecars.refused("verifier_protocol")


def test_a_service_that_hangs_up_is_unavailable(sidecars):
    sidecars.trustee.answer = lambda *_: None
    sidecars.refused("verifier_unavailable")
    sidecars.trustee.be_honest()
    wait_until("recovery", lambda: ask(sidecars.port) == b"hello")


def test_the_answer_to_another_request_is_refused(sidecars):
    kept = []

    def keep(status, token):
        kept.append(token)
        return status, token

    sidecars.trustee.answer = keep
    assert ask(sidecars.port) == b"hello"
    sidecars.trustee.answer = lambda *_: (200, kept[0])
    sidecars.refused("verifier_nonce")


def test_a_token_of_the_key_broker_is_no_answer(sidecars):
    """The same service signs it for whoever attests, with a nonce of its own."""
    trustee = sidecars.trustee
    assert post(trustee, "/kbs/v0/auth", {"version": "0.1.0", "tee": "sample", "extra-params": ""})[0] == 401
    status, headers, body = post(trustee, "/kbs/v0/auth", {"version": "0.4.0", "tee": "sample", "extra-params": ""})
    assert status == 200
    bound = {"nonce": json.loads(body)["nonce"], "tee-pubkey": trustee.key.jwk}
    report_data = hashlib.sha384(canonical({**bound, "additional-evidence": ""})).digest()
    evidence = {"svn": "1", "report_data": base64.b64encode(report_data).decode()}
    status, _, body = post(
        trustee, "/kbs/v0/attest",
        {"runtime-data": bound, "tee-evidence": {"primary_evidence": evidence, "additional_evidence": ""}},
        Cookie=headers["Set-Cookie"].split(";")[0])
    assert status == 200, body
    token = json.loads(body)["token"]
    trustee.answer = lambda *_: (200, token)
    sidecars.refused("verifier_nonce")


# The sample TEE is nothing unless it is asked for.

def test_without_unsafe_sample_tee_such_evidence_is_not_accepted(site, shared, other_party):
    seen = len(shared.machine.connections())
    _, port = other_party(site.verifier.settings(), policy={})
    served = shared.application.accepted
    assert ask(port) == b""
    assert shared.machine.last_connection(seen + 1)["reason"] == "no_common_attestation_scheme"
    assert shared.application.accepted == served


def test_a_sample_machine_says_that_it_is_one(site, shared, tmp_path):
    certificate, key = site.pki.issue("silent")
    with pytest.raises(AssertionError) as refused:
        Atlsd(tmp_path, {"identity": {"attester": "sample", "certificate": str(certificate), "key": str(key)},
                         "tunnels": [{"name": "t", "role": "ingress", "listen": f"127.0.0.1:{free_ports()}",
                                      "target": "127.0.0.1:1", "attest": True, "peer": ANYBODY}]})
    assert "unsafe_sample" in str(refused.value)


# Several Verifiers.

@pytest.mark.parametrize("first", ["trustee", "veraison"])
def test_each_verifier_gets_the_evidence_that_it_appraises(site, shared, tmp_path, first):
    trustee = shared.trustee
    port = free_ports()
    with FaultyVerifier(site.verifier) as veraison, contextlib.ExitStack() as stack:
        stack.enter_context(Atlsd(tmp_path, {
            "identity": site.server.identity(), "admin": {"enabled": False},
            "tunnels": [{"name": "t", "role": "ingress", "listen": f"127.0.0.1:{port}",
                         "target": f"127.0.0.1:{shared.application.port}", "attest": True, "peer": ANYBODY}]}, "tpm"))
        both = [trustee.settings(), site.verifier.settings(url=veraison.url)]
        atlsd, ports = relying_party(tmp_path, both if first == "trustee" else both[::-1],
                                     [shared.machine_port, port], policy={})
        stack.enter_context(atlsd)
        asked = len(trustee.requests)
        assert ask(ports[0]) == b"hello"
        assert atlsd.last_connection()["attestation"] == SAMPLE
        assert len(trustee.requests) == asked + 1 and not veraison.requests
        assert ask(ports[1]) == b"hello"
        line = atlsd.last_connection(2)
        assert (line["attestation"], line["kid"]) == (MEDIA_TYPE, site.server.kid)
        assert len(trustee.requests) == asked + 1 and veraison.requests


def test_a_verifier_is_believed_by_its_own_key_only(site, shared, tmp_path):
    trustee = shared.trustee
    another = trustee.new_key("of-another")
    atlsd, ports = relying_party(
        tmp_path, [trustee.settings(result_key=str(another.public)),
                   site.verifier.settings(result_key=str(trustee.key.public))], [shared.machine_port], policy={})
    with atlsd:
        assert ask(ports[0]) == b""
        assert atlsd.last_connection()["reason"] == "ear_signature"
