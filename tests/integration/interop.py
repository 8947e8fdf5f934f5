"""Other implementations for the tests: what tests/interop/build has built."""
import base64
import contextlib
import http.client
import importlib
import json
import os
import pathlib
import sys
import urllib.parse

from confidential_vm import VECTORS
from harness import BIN, Process, free_ports, is_listening, run

# Empty: nothing is built.
CACHE = os.environ.get("ATLS_INTEROP")
SESSION = "application/vnd.veraison.challenge-response-session+json"
RELEASES = ["veraison-main", "veraison-2608", "veraison-2602", "veraison-2511"]
PROFILE = "tag:github.com/parallaxsecond,2023-03-03:tpm"


class OtherVerifier(Process):
    """The one of tests/interop/verifier, in the dialect of a release; `options` are its own."""

    def __init__(self, directory, release, *options):
        self.release = release
        self.port = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.result_key = directory / f"{release}.jwk"
        super().__init__([pathlib.Path(CACHE) / "verifier", "-listen", f"127.0.0.1:{self.port}",
                          "-result-key", self.result_key, "-release", release, *options],
                         directory / f"{release}.log", lambda: is_listening(self.port))
        self.expected_exit = (-15,)
        kind = "rim" if release in RELEASES[:2] else "corim-unsigned"
        self.media_type = f'application/{kind}+cbor; profile="{PROFILE}"'

    def request(self, method, path, body=b"", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        return reply, reply.read()

    def provision(self, machine, *options, release=None):
        return run(BIN / "atls", "endorse", "--tcti", machine.tcti, "--state-dir", machine.state,
                   "--pcrs", machine.pcrs, "--for", release or self.release, "--submit", self.url,
                   *options)

    def enrol(self, machine):
        done = self.provision(machine, "--trust-anchor")
        assert done.returncode == 0, done.stderr

    def submit(self, corim):
        """As it is: (status, failure reason)."""
        reply, body = self.request("POST", "/endorsement-provisioning/v1/submit", corim,
                                   Content_Type=self.media_type)
        assert reply.status == 200, body
        shown = json.loads(body)
        return shown["status"], shown.get("failure-reason", "")

    def appraise(self, evidence, media_type, nonce=bytes(32)):
        query = urllib.parse.urlencode({"nonce": base64.urlsafe_b64encode(nonce)})
        reply, body = self.request("POST", f"/challenge-response/v1/newSession?{query}", Accept=SESSION)
        assert reply.status == 201, body
        location = "/challenge-response/v1/" + reply.getheader("Location")
        return self.request("POST", location, evidence, Accept=SESSION, Content_Type=media_type)

    def settings(self):
        return {"url": self.url, "result_key": str(self.result_key)}


def judge(kind, **asked):
    """What tests/interop/tee says of a report: whether it is accepted, why not, its report data and facts. Files are
    vectors where they are relative."""
    arguments = [pathlib.Path(CACHE) / "judge", "-kind", kind]
    for name, value in asked.items():
        is_file = name in ("report", "certificates", "evidence", "root", "collateral")
        arguments += [f"-{name.replace('_', '-')}", VECTORS / value if is_file else value]
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    # What its libraries warn of stands before the answer.
    return json.loads(done.stdout.splitlines()[-1])


def dcap_qvl():
    """The library of PyPI; None where it could not be had."""
    directory = str(pathlib.Path(CACHE) / "python")
    if directory not in sys.path:
        sys.path.append(directory)
    with contextlib.suppress(ImportError):
        return importlib.import_module("dcap_qvl")
    return None
