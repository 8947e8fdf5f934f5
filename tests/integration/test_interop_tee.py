"""Evidence of confidential VMs before judges that share no code with atlsd (tests/interop): go-sev-guest, go-tdx-guest
and dcap-qvl on reports, Veraison's appraisals in a Verifier on go-sev-guest."""
import base64
import contextlib
import datetime
import hashlib
import json
import re
import time
import urllib.parse
import uuid

import pytest

from confidential_vm import KINDS, VECTORS, ConfidentialVm, cca_facts, can_mount, endorse, measured
from harness import BIN, FaultyVerifier, Verifier, ask, run
from interop import CACHE, OtherVerifier, dcap_qvl, judge

pytestmark = pytest.mark.skipif(not CACHE, reason="without --interop, and Go is not there")
needs_kernel = pytest.mark.skipif(not can_mount(), reason="needs /dev/fuse and libfuse3-dev")

REPORT_DATA = (VECTORS / "snp/report-data.bin").read_bytes().hex()
SNP = {"root": "snp/ark.pem", "certificates": "snp/auxblob-vcek-pem.bin"}
VLEK = {"certificates": "snp/auxblob-vlek-pem.bin"}
TDX = {"root": "tdx/root.pem", "collateral": "tdx/collateral.json"}
CCA = {"root": "cca/iak.pub.pem"}


@pytest.fixture(scope="module")
def qvl():
    found = dcap_qvl()
    if found is None:
        pytest.skip("dcap-qvl is not there")
    return found


# The data of tests/vectors. None: good; otherwise what is wrong, in the judge's words.
VERDICTS = {
    "snp/report-good.bin": None,
    "snp/report-good-v2.bin": None,
    "snp/report-good-v5.bin": None,
    "snp/report-vlek.bin": None,
    "snp/report-other-measurement.bin": None,
    "snp/report-debug.bin": "debug capability",
    "snp/report-vmpl2.bin": "VMPL 2 is not 0",
    "snp/report-other-report-data.bin": "REPORT_DATA",
    "snp/report-tcb-not-of-vcek.bin": "does not match the TCB of the V[CL]EK certificate",
    "snp/report-bad-signature.bin": "signature verification error",
    "snp/report-policy-bit17-clear.bin": "must be 1",
    "snp/report-reserved-not-zero.bin": "not all zero",
    "tdx/quote-v4-good.bin": None,
    "tdx/quote-v4-other-mrtd.bin": None,
    "tdx/quote-v4-other-rtmr.bin": None,
    "tdx/quote-v4-old-tcb.bin": "OutOfDate",
    "tdx/quote-v4-other-report-data.bin": "REPORT_DATA",
    "tdx/quote-v4-bad-signature.bin": "signature",
    "cca/token-907-good.cbor": None,
    "cca/token-399-good.cbor": None,
    "cca/token-399-profile-2023.cbor": None,
    "cca/token-907-other-rim.cbor": None,
    "cca/token-907-other-rem.cbor": None,
    "cca/token-907-other-challenge.cbor": "challenge",
    "cca/token-907-realm-signed-by-other.cbor": "realm token: the signature is wrong",
}
# These are judged by dcap-qvl, which looks at signatures, certificates and the state of the platform.
QUOTES = {
    "tdx/quote-v4-good.bin": "UpToDate",
    "tdx/quote-v5-td10.bin": "UpToDate",
    "tdx/quote-v5-td15.bin": "UpToDate",
    "tdx/quote-v4-other-mrtd.bin": "UpToDate",
    "tdx/quote-v4-other-rtmr.bin": "UpToDate",
    "tdx/quote-v4-other-report-data.bin": "UpToDate",
    "tdx/quote-v4-old-tcb.bin": "OutOfDate",
    "tdx/quote-v4-bad-signature.bin": None,
}


def test_no_report_of_the_vectors_is_left_out():
    found = {str(path.relative_to(VECTORS)) for pattern in ("snp/report-*.bin", "tdx/quote-*.bin", "cca/token-*.cbor")
             for path in VECTORS.glob(pattern)}
    assert found - {"snp/report-data.bin"} == VERDICTS.keys() | QUOTES.keys()


@pytest.mark.parametrize("name", VERDICTS)
def test_the_vectors_are_what_they_are_said_to_be(name):
    kind = name.split("/")[0]
    with_it = {"snp": SNP, "tdx": TDX, "cca": CCA}[kind] | (VLEK if "vlek" in name else {})
    said = judge(kind, report=name, report_data=REPORT_DATA, **with_it)
    wrong = VERDICTS[name]
    assert said["accepted"] == (wrong is None), said
    assert wrong is None or wrong in said["why"]


@pytest.mark.parametrize("name", QUOTES)
def test_quotes_of_the_vectors_before_dcap_qvl(qvl, name):
    if QUOTES[name] is None:
        with pytest.raises(ValueError, match="signature is invalid"):
            judged_by(qvl, (VECTORS / name).read_bytes())
    else:
        assert judged_by(qvl, (VECTORS / name).read_bytes())["status"] == QUOTES[name]


def judged_by(qvl, quote, collateral="tdx/collateral.json"):
    """What dcap-qvl says of a quote whose root is the vectors'; the report itself is in "body"."""
    collateral = qvl.QuoteCollateralV3.from_json((VECTORS / collateral).read_text())
    root = (VECTORS / "tdx/root.der").read_bytes()
    return with_body(qvl.verify_with_root_ca(quote, collateral, root, int(time.time())))


def with_body(verified):
    said = json.loads(verified.to_json())
    body, = said["report"].values()
    # Each version's report has that of the one before it as its base.
    while "base" in body:
        body = {**body.pop("base"), **body}
    return said | {"body": body}


def test_the_sgx_quote_of_the_vectors_is_read_as_dcap_qvl_reads_it(qvl):
    quote = VECTORS / "sgx/quote-v3-good.bin"
    said = judged_by(qvl, quote.read_bytes(), "sgx/collateral.json")
    assert said["status"] == "UpToDate"
    body = said["body"]
    shown = json.loads(run(BIN / "atls", "inspect", quote).stdout)
    assert shown["report_data"] == body["report_data"]
    names = {"mrenclave": "mr_enclave", "mrsigner": "mr_signer", "isvprodid": "isv_prod_id", "isvsvn": "isv_svn",
             "cpusvn": "cpu_svn"}
    assert {ours: shown["sgx"][ours] for ours in names} == {ours: body[theirs] for ours, theirs in names.items()}
    attributes = int.from_bytes(bytes.fromhex(body["attributes"])[:8], "little")
    bits = {"debug": 1 << 1, "provision_key": 1 << 4, "kss": 1 << 7}
    assert shown["sgx"]["attributes"] == {name: bool(attributes & bit) for name, bit in bits.items()}
    assert bytes.fromhex(shown["sgx"]["xfrm"])[::-1] == bytes.fromhex(body["attributes"])[8:]


def test_a_chain_of_another_maker_is_refused():
    """The roots that the libraries have, and none of ours."""
    without_root = {"certificates": SNP["certificates"]}
    assert "unknown authority" in judge("snp", report="snp/report-good.bin", **without_root)["why"]
    assert "unknown authority" in judge("tdx", report="tdx/quote-v4-good.bin")["why"]


# What firmware has really made: as "atls inspect" reads it and as the judges do.

def inspected(directory, provider, report, certificates=b""):
    def text(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    file = directory / "evidence.json"
    message = {"provider": provider, "outblob": text(report)}
    file.write_text(json.dumps(message | ({"auxblob": text(certificates)} if certificates else {})))
    done = run(BIN / "atls", "inspect", file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def certificate_table(kind, certificate):
    """As a host makes it (GHCB): entries of {GUID, place, size}, one of zeros, the content."""
    guid = {"VCEK": "63da758d-e664-4564-adc5-f4b93be8accd", "VLEK": "a8074bc2-a25a-483e-aae6-39c045a0b8a1"}[kind]
    sizes = (48).to_bytes(4, "little") + len(certificate).to_bytes(4, "little")
    return uuid.UUID(guid).bytes + sizes + bytes(24) + certificate


def real_snp(name):
    """(the report, its kind of key, that key's certificate)"""
    if name == "milan-vlek":
        report, certificate = ((VECTORS / f"snp/real-milan-vlek{end}").read_bytes() for end in ("-report.bin", ".der"))
        return report, "VLEK", certificate
    evidence = json.loads((VECTORS / "snp/real-genoa-trustee-evidence.json").read_text())
    certificate, = (one for one in evidence["cert_chain"] if one["cert_type"] == "VCEK")
    return (VECTORS / "snp/real-genoa-report.bin").read_bytes(), "VCEK", bytes(certificate["data"])


@pytest.mark.parametrize("name, vmpl", [("genoa", 0), ("milan-vlek", 1)])
def test_real_snp_reports_are_read_as_the_judge_reads_them(tmp_path, name, vmpl):
    """AMD's own root has signed for them, which go-sev-guest has."""
    report, kind, certificate = real_snp(name)
    table = certificate_table(kind, certificate)
    files = {"report": tmp_path / "report.bin", "certificates": tmp_path / "certificates.bin"}
    files["report"].write_bytes(report)
    files["certificates"].write_bytes(table)
    while_valid = datetime.datetime(2025, 6, 1, tzinfo=datetime.timezone.utc)
    said = judge("snp", at=int(while_valid.timestamp()), vmpl=vmpl, **files)
    assert said["accepted"], said
    shown = inspected(tmp_path, "sev_guest", report, table)
    assert (shown["report_data"], shown["snp"]) == (said["report_data"], said["facts"])


# A remark follows the first.
@pytest.mark.parametrize("name, size", [("go-tdx-guest-quote-v4", 4935), ("tdx_quote", None)])
def test_real_tdx_quotes_are_read_as_the_judge_reads_them(tmp_path, name, size):
    """Intel's own root has signed for them, which go-tdx-guest has."""
    file = tmp_path / "quote.bin"
    file.write_bytes((VECTORS / f"tdx/real-{name}.bin").read_bytes()[:size])
    said = judge("tdx", report=file)
    assert said["accepted"], said
    shown = inspected(tmp_path, "tdx_guest", file.read_bytes())
    assert (shown["report_data"], shown["tdx"]) == (said["report_data"], said["facts"])


@pytest.mark.parametrize("name", ["tdx_quote", "tdx_quote_td15ex"])
def test_real_tdx_quotes_are_read_as_dcap_qvl_reads_them(qvl, tmp_path, name):
    quote = (VECTORS / f"tdx/real-{name}.bin").read_bytes()
    collateral = (VECTORS / f"tdx/real-{name}_collateral.json").read_text()
    issued = json.loads(json.loads(collateral)["tcb_info"])["issueDate"].replace("Z", "+00:00")
    an_hour_later = int(datetime.datetime.fromisoformat(issued).timestamp()) + 3600
    said = with_body(qvl.verify(quote, qvl.QuoteCollateralV3.from_json(collateral), an_hour_later))
    assert said["status"] == "UpToDate"
    body = said["body"]
    shown = inspected(tmp_path, "tdx_guest", quote)
    assert shown["report_data"] == body["report_data"]
    names = {"mrtd": "mr_td", "mrconfigid": "mr_config_id", "mrowner": "mr_owner", "mrownerconfig": "mr_owner_config",
             "mrseam": "mr_seam", "tee_tcb_svn": "tee_tcb_svn", **{f"rtmr{i}": f"rt_mr{i}" for i in range(4)}}
    if "mr_service_td" in body:
        names["mrservicetd"] = "mr_service_td"
    assert {ours: shown["tdx"][ours] for ours in names} == {ours: body[theirs] for ours, theirs in names.items()}
    assert bytes.fromhex(shown["tdx"]["xfam"])[::-1].hex() == body["xfam"]
    assert shown["tdx"]["fmspc"] == qvl.parse_quote(quote).fmspc().lower()
    attributes = int.from_bytes(bytes.fromhex(body["td_attributes"]), "little")
    bits = {"debug": 0xff, "sept_ve_disable": 1 << 28, "pks": 1 << 30, "key_locker": 1 << 31, "perfmon": 1 << 63}
    assert shown["tdx"]["attributes"] == {name: bool(attributes & bit) for name, bit in bits.items()}


def test_a_real_cca_token_is_read_as_the_judge_reads_it():
    token = VECTORS / "cca/cca-token-tf-rmm.cbor"
    said = judge("cca", report=token, root="cca/cca-token-tf-rmm-platform.pub.pem")
    assert said["accepted"], said
    shown = json.loads(run(BIN / "atls", "inspect", token).stdout)
    assert (shown["report_data"], shown["cca"]) == (said["report_data"], said["facts"])


# What our attester sends, and makes of our makers' reports.

def attested_by(pair, machine, settings, policy=None):
    """A server in that machine before a client that has its Evidence appraised."""
    return pair(ingress={"identity": machine.identity(), "verifier": settings},
                ingress_tunnel={"attest": True, "peer": {"unsafe_unauthenticated": True}},
                egress={"identity": {"attester": "none"}, "verifier": settings},
                egress_tunnel={"require_attestation": True, "policy": policy or {}})


def sent(pair, directory, kind):
    """What a Verifier is sent about such a machine: (media type, Evidence, what the Relying Party has had signed)."""
    endorse(directory / "verifier")
    with contextlib.ExitStack() as running:
        machine = running.enter_context(ConfidentialVm(directory / "vm", kind))
        behind = running.enter_context(Verifier(directory / "verifier", []))
        recorder = running.enter_context(FaultyVerifier(behind))
        with attested_by(pair, machine, behind.settings(url=recorder.url)) as made:
            assert ask(made.egress_port) == b"hello"
        asked_for = [path for _, path, _ in recorder.requests if "/newSession" in path][-1]
        nonce = urllib.parse.parse_qs(urllib.parse.urlparse(asked_for).query)["nonce"][0]
        return *recorder.submissions[-1], base64.urlsafe_b64decode(nonce).ljust(64, b"\0")


@needs_kernel
@pytest.mark.parametrize("kind", KINDS)
def test_the_judges_accept_what_a_verifier_is_sent(pair, tmp_path, kind):
    media_type, evidence, report_data = sent(pair, tmp_path, kind)
    file = tmp_path / "evidence.cbor"
    file.write_bytes(evidence)
    asked = {"snp": {"evidence": file, "root": SNP["root"]}, "tdx": {"evidence": file, **TDX},
             "cca": {"report": file, **CCA}}[kind]
    said = judge(kind, report_data=report_data.hex(), **asked)
    assert said["accepted"], said
    assert media_type == ("application/vnd.veraison.tsm-report+cbor" if kind == "snp" else KINDS[kind]["type"])


@needs_kernel
def test_dcap_qvl_accepts_what_a_verifier_is_sent(qvl, pair, tmp_path):
    _, evidence, report_data = sent(pair, tmp_path, "tdx")
    # A byte string with a size of two bytes.
    at = evidence.index(b"goutblob\x59") + 9
    quote = evidence[at + 2:][:int.from_bytes(evidence[at:at + 2], "big")]
    said = judged_by(qvl, quote)
    assert (said["status"], said["body"]["report_data"]) == ("UpToDate", report_data.hex())


# Veraison's appraisals, in its stand-in.

def published_platform(directory):
    """What Veraison's own token is appraised by: its CoRIM has the key and what the result shows of the token."""
    corim = (VECTORS / "cca/corim-cca-platform-valid.cbor").read_bytes()
    result = json.loads((VECTORS / "cca/result-good.json").read_text())
    platform, realm = (result[name]["ear.veraison.annotated-evidence"] for name in ("CCA_SSD_PLATFORM", "CCA_REALM"))

    def known(text):
        raw = base64.b64decode(text)
        assert raw in corim
        return raw.hex()

    file = directory / "platforms.json"
    file.write_text(json.dumps({"cca": {
        "platforms": [{"instance_id": known(platform["cca-platform-instance-id"]),
                       "key": re.search(b"-----BEGIN.*END PUBLIC KEY-----", corim, re.S)[0].decode(),
                       "config": known(platform["cca-platform-config"]),
                       "software": [known(one["measurement-value"])
                                    for one in platform["cca-platform-sw-components"]]}],
        "realms": [{"rim": base64.b64decode(realm["cca-realm-initial-measurement"]).hex(), "rem": []}]}}))
    return file


@pytest.mark.parametrize("published", ["result-good.json", "result-freshness-fail.json"])
def test_the_stand_in_says_of_a_token_what_veraison_has_published(veraison, tmp_path, published):
    token = VECTORS / "cca/cca-token-good.cbor"
    nonce = bytes.fromhex({
        "result-good.json": json.loads(run(BIN / "atls", "inspect", token).stdout)["report_data"],
        "result-freshness-fail.json": "75e69d6de79f" * 10 + "75e69d6d"}[published])
    reply, body = veraison(knows=published_platform(tmp_path)).appraise(token.read_bytes(), KINDS["cca"]["type"], nonce)
    assert reply.status == 200, body
    _, claims, _ = json.loads(body)["result"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))["submods"]
    expected = json.loads((VECTORS / "cca" / published).read_text())
    for submodules in (said, expected):
        for one in submodules.values():
            one.pop("ear.veraison.annotated-evidence", None)
    assert said == expected


def known_platforms(directory):
    """What the Verifier in Go knows of the vectors' machines."""
    cca = cca_facts()
    file = directory / "platforms.json"
    file.write_text(json.dumps({
        "snp": {"ark": (VECTORS / "snp/ark.pem").read_text(), "measurements": [measured("snp")]},
        "cca": {"platforms": [{"instance_id": cca["instance_id"], "key": (VECTORS / "cca/iak.pub.pem").read_text(),
                               "config": cca["config"], "software": [hashlib.sha256(b"rmm").hexdigest()]}],
                "realms": [{"rim": cca["rim"], "rem": [cca[f"rem{i}"] for i in range(4)]}]}}))
    return file


@pytest.fixture
def veraison(tmp_path):
    """Starts the Verifier in Go, in the dialect of a release."""
    with contextlib.ExitStack() as running:
        def start(release="veraison-main", knows=None):
            options = ["-platforms", knows or known_platforms(tmp_path)]
            return running.enter_context(OtherVerifier(tmp_path, release, *options))
        yield start


@pytest.fixture
def vm(tmp_path):
    with contextlib.ExitStack() as running:
        def make(kind, **more):
            return running.enter_context(ConfidentialVm(tmp_path / kind, kind, **more))
        yield make


def refusal(made):
    assert ask(made.egress_port) == b""
    line = made.egress.last_connection()
    return line["reason"], line["detail"]


@needs_kernel
@pytest.mark.parametrize("release", ["veraison-main", "veraison-2608", "veraison-2602"])
def test_veraison_appraises_both_sides(vm, veraison, pair, release):
    """An SNP guest, whose host gives its certificates in DER, and a CCA realm."""
    settings = veraison(release).settings()
    der = {"without_certificates": True, "auxblob": VECTORS / "snp/auxblob-vcek-der.bin"}
    attests = {"attest": True, "require_attestation": True}
    made = pair(ingress={"identity": vm("snp", **der).identity(), "verifier": settings}, ingress_tunnel=attests,
                egress={"identity": vm("cca").identity(), "verifier": settings}, egress_tunnel=attests)
    assert ask(made.egress_port) == b"hello"
    for side, kind in ((made.egress, "snp"), (made.ingress, "cca")):
        line = side.last_connection()
        assert (line["attestation"], line["verdict"]) == (KINDS[kind]["type"], "affirming")


@needs_kernel
@pytest.mark.parametrize("kind", ["snp", "tdx"])
def test_a_release_that_has_no_scheme_for_it_is_not_sent_evidence(vm, veraison, pair, kind):
    made = attested_by(pair, vm(kind), veraison("veraison-2511").settings())
    assert refusal(made)[0] == "verifier_evidence_type"


# What is other about a machine than what the Verifier knows, and why it is refused.
REFUSED = {
    "snp measurement": ("snp", {"changed": {0x90: b"\1" * 48}}, "ear_not_affirming", "contraindicated"),
    "cca initial measurement": ("cca", {"template": "cca/token-907-other-rim.cbor"}, "ear_not_affirming", "warning"),
    # This it affirms.
    "cca extensible measurement": ("cca", {"template": "cca/token-907-other-rem.cbor"}, "policy_vector", "executables"),
}


@needs_kernel
@pytest.mark.parametrize("name", REFUSED)
def test_what_veraison_does_not_recognise_is_refused(vm, veraison, pair, name):
    kind, other, reason, says = REFUSED[name]
    found = refusal(attested_by(pair, vm(kind, **other), veraison().settings()))
    assert found[0] == reason and says in found[1]


@needs_kernel
@pytest.mark.parametrize("kind, expected", [("snp", "ear_not_affirming"), ("cca", "ear_submodule")])
def test_a_platform_that_veraison_does_not_know_is_refused(vm, veraison, pair, tmp_path, kind, expected):
    nobody = tmp_path / "nobody.json"
    nobody.write_text("{}")
    reason, detail = refusal(attested_by(pair, vm(kind), veraison(knows=nobody).settings()))
    assert reason == expected and "no trust anchor for evidence" in detail


@needs_kernel
def test_a_debuggable_guest_is_refused_here_since_veraison_affirms_it(vm, veraison, pair):
    settings = veraison().settings()
    machine = vm("snp", changed={0x0a: b"\x0b"})
    with attested_by(pair, machine, settings, {"snp": {"unsafe_debug": True}}) as made:
        assert ask(made.egress_port) == b"hello"
    assert refusal(attested_by(pair, machine, settings))[0] == "snp_debug"
