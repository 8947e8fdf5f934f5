"""A stand-in for Trustee (Confidential Containers): the Attestation Service's REST interface and, on the same port, the
Key Broker Service's handshake. Written from Trustee's documents, sharing nothing
with lib/. The signing is done by the openssl command."""
import base64
import hashlib
import json
import re
import secrets
import subprocess
import time

from harness import HttpService, run
from tee_evidence import READERS, Refused

PROFILE = "tag:github.com,2024:confidential-containers/Trustee"
DEVELOPER = "https://confidentialcontainers.org"
DEFAULT_POLICY = "default"
# Seconds.
LIFE_OF_A_TOKEN = 300
KBS_VERSION = "0.4.0"
KBS_ERRORS = "https://github.com/confidential-containers/kbs/errors/"


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text):
    """Without padding only, as the services decode it."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text):
        raise ValueError(f"{text[:20]!r} is not base64url without padding")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value):
    """RFC 8785, of documents without fractions and of ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class SigningKey:
    """A P-256 key in a file, and its public half as a JWK beside it."""

    def __init__(self, file):
        self.file = file
        made = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file)
        assert made.returncode == 0, made.stderr
        point = run("openssl", "pkey", "-in", file, "-pubout", "-outform", "DER", text=False).stdout[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": base64url(point[:32]), "y": base64url(point[32:])}
        self.public = file.with_suffix(".jwk")
        self.public.write_text(json.dumps(self.jwk))

    def sign(self, message):
        """r and s, 32 bytes each (RFC 7518 section 3.4)."""
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.file], input=message, capture_output=True,
                             check=True).stdout
        # SEQUENCE of two INTEGERs, all lengths below 128.
        r_size = der[3]
        r, s = der[4:4 + r_size], der[6 + r_size:]
        return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))

    def token(self, header, claims):
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{base64url(self.sign(signed.encode()))}"


class MockTrustee(HttpService):
    """Answers as Trustee would, until it is told to lie:

    `change`     a function of a result's header and claims, before they are signed
    `answer`     a function of the answer to POST /attestation, (status, body); None hangs up
    `key`        what signs; `published` are the keys that it shows
    """

    def __init__(self, directory, tls=None):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.key = self.new_key("result")
        self.published = [self.key]
        self.policies = {f"{DEFAULT_POLICY}_cpu"}
        self.requests = []
        self.sessions = {}
        self.be_honest()
        outer = self

        class Handler(self.Handler):
            def do_GET(self):
                self.reply(outer.get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(outer.post(self.path, self.headers, body))

            def reply(self, answer):
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, headers, text = answer
                body = text.encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler, tls)

    def new_key(self, name):
        return SigningKey(self.directory / f"{name}.pem")

    def be_honest(self):
        self.change = lambda header, claims: None
        self.answer = lambda status, body: (status, body)

    def settings(self, **more):
        """As a Relying Party's "verifier"."""
        return {"type": "trustee", "url": self.url, "result_key": str(self.key.public), "policy_ids": ["atls"],
                "unsafe_sample_tee": True, **more}

    # What is asked for.

    def get(self, path):
        if path == "/.well-known/jwks.json":
            return self.as_json(200, {"keys": [key.jwk for key in self.published]})
        return 404, {}, ""

    def post(self, path, headers, body):
        if path == "/attestation":
            answered = self.answer(*self.attestation(headers, body))
            return answered and (answered[0], {"Content-Type": "text/plain; charset=utf-8"}, answered[1])
        if path == "/policy":
            return self.set_policy(json.loads(body))
        if path == "/kbs/v0/auth":
            return self.auth(json.loads(body))
        if path == "/kbs/v0/attest":
            return self.attest(headers, json.loads(body))
        return 404, {}, ""

    @staticmethod
    def as_json(status, document, headers=None):
        return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(document)

    def attestation(self, headers, body):
        """Every failure is the same 500, whosever fault it is."""
        try:
            if headers.get("Content-Type") != "application/json":
                raise Refused(f"Content-Type {headers.get('Content-Type')}")
            request = json.loads(body)
            self.requests.append(request)
            return 200, self.appraise(request)
        except (Refused, ValueError, KeyError, TypeError) as e:
            return 500, f"An internal error occured: \n0: attestation report evaluate\n1: {e!r}"

    def set_policy(self, document):
        """Policies are kept for a class of TEE: "atls_cpu" is what requests call "atls"."""
        from_base64url(document["policy"])
        self.policies.add(document["policy_id"])
        return 200, {}, ""

    # Appraisal.

    def appraise(self, request):
        policy, = request["policy_ids"] or [DEFAULT_POLICY]
        if f"{policy}_cpu" not in self.policies:
            raise Refused(f"no policy {policy}")
        submodules = {f"cpu{i}": self.appraisal(one, policy) for i, one in enumerate(request["verification_requests"])}
        if not submodules:
            raise Refused("nothing to verify")
        now = int(time.time())
        claims = {"eat_profile": PROFILE, "iat": now, "exp": now + LIFE_OF_A_TOKEN, "iss": "CoCo-Attestation-Service",
                  "ear.verifier-id": {"developer": DEVELOPER, "build": "attestation-service 0.1.0"},
                  "submods": submodules}
        header = {"typ": "JWT", "alg": "ES256", "jwk": self.key.jwk}
        self.change(header, claims)
        return self.key.token(header, claims)

    def appraisal(self, request, policy):
        tee = request["tee"]
        if tee not in READERS:
            raise Refused(f"TEE {tee} is not supported here")
        evidence = json.loads(from_base64url(request["evidence"]))
        report_data, annotated = READERS[tee](evidence)
        expected, claimed = self.runtime_data(request)
        if expected is not None and tee != "sample":
            expected = expected.ljust(64, b"\0")
        # Without runtime data nothing is compared.
        if expected is not None and report_data != expected:
            raise Refused(f"REPORT_DATA is different from that in the Evidence of {tee}")
        return {
            "ear.status": "affirming",
            "ear.trustworthiness-vector": {
                "instance-identity": 0, "configuration": 2, "executables": 3, "file-system": 0,
                "hardware": 2, "runtime-opaque": 0, "storage-opaque": 0, "sourced-data": 0},
            "ear.appraisal-policy-id": policy,
            "ear.veraison.annotated-evidence": {
                tee: annotated, "report_data": evidence["report_data"] if tee == "sample" else report_data.hex(),
                "init_data": "", "runtime_data_claims": claimed, "init_data_claims": None},
            "ear.trustee.identifiers": {}}

    @staticmethod
    def runtime_data(request):
        """(the report data that is expected, what the result says of it); None for nothing."""
        given = request.get("runtime_data")
        if given is None:
            return None, None
        if "raw" in given:
            return from_base64url(given["raw"]), None
        algorithm = request.get("runtime_data_hash_algorithm", "sha384")
        return hashlib.new(algorithm, canonical(given["structured"])).digest(), given["structured"]

    # The Key Broker Service: it chooses the nonce, and appraises for whoever attests.

    def refusal(self, name, detail):
        return self.as_json(401, {"type": KBS_ERRORS + name, "detail": detail})

    def auth(self, request):
        if request["version"] != KBS_VERSION:
            return self.refusal("ProtocolVersion", f"expected {KBS_VERSION}, found {request['version']}")
        session, nonce = secrets.token_hex(16), base64.b64encode(secrets.token_bytes(32)).decode()
        self.sessions[session] = (request["tee"], nonce)
        return self.as_json(200, {"nonce": nonce, "extra-params": ""},
                            {"Set-Cookie": f"kbs-session-id={session}; Path=/kbs/v0"})

    def attest(self, headers, request):
        cookie = re.search(r"kbs-session-id=(\w+)", headers.get("Cookie", ""))
        tee, nonce = self.sessions.get(cookie and cookie[1], (None, None))
        runtime, evidence = request["runtime-data"], request["tee-evidence"]
        if nonce is None or runtime["nonce"] != nonce:
            return self.refusal("InvalidRequest", "no such session, or another nonce")
        bound = {"nonce": nonce, "tee-pubkey": runtime["tee-pubkey"],
                 "additional-evidence": evidence["additional_evidence"]}
        try:
            token = self.appraise({"policy_ids": [], "verification_requests": [
                {"tee": tee, "evidence": base64url(json.dumps(evidence["primary_evidence"]).encode()),
                 "runtime_data": {"structured": bound}}]})
        except (Refused, ValueError, KeyError, TypeError) as e:
            return self.refusal("AttestationFailed", repr(e))
        return self.as_json(200, {"token": token})
