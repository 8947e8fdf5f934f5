"""What Trustee reads in the Evidence of each TEE, for our stand-in of it: written from its documents, sharing nothing
with lib/. Each reader gives the report data and what the result says of the TEE, or raises."""
import base64
import struct

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


class Refused(Exception):
    """What the service says of Evidence that is not good."""


def check_signature(key, hash_algorithm, r, s, message):
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hash_algorithm))
    except InvalidSignature as e:
        raise Refused("the signature is wrong") from e


def read_sample(evidence):
    return base64.b64decode(evidence["report_data"], validate=True), {
        "svn": evidence["svn"], "launch_digest": "abcde", "debug": False, "platform_version": {"major": "1", "minor": "4"}}


def tcb_bytes(tcb):
    assert tcb["fmc"] is None
    return bytes([tcb["bootloader"], tcb["tee"], 0, 0, 0, 0, tcb["snp"], tcb["microcode"]])


def version_bytes(version):
    return bytes([version["build"], version["minor"], version["major"], 0])


def snp_report(r):
    """The signed bytes, put together again of the fields (AMD 56860, ATTESTATION_REPORT)."""
    cpu = [r[name] or 0 for name in ("cpuid_fam_id", "cpuid_mod_id", "cpuid_step")]
    vectors = [r.get(name) or 0 for name in ("launch_mit_vector", "current_mit_vector")]
    out = struct.pack("<IIQ", r["version"], r["guest_svn"], r["policy"])
    out += bytes(r["family_id"]) + bytes(r["image_id"]) + struct.pack("<II", r["vmpl"], r["sig_algo"])
    out += tcb_bytes(r["current_tcb"]) + struct.pack("<QII", r["plat_info"], r["key_info"], 0)
    for name in ("report_data", "measurement", "host_data", "id_key_digest", "author_key_digest", "report_id",
                 "report_id_ma"):
        out += bytes(r[name])
    out += tcb_bytes(r["reported_tcb"]) + bytes(cpu) + bytes(21) + bytes(r["chip_id"]) + tcb_bytes(r["committed_tcb"])
    out += version_bytes(r["current"]) + version_bytes(r["committed"]) + tcb_bytes(r["launch_tcb"])
    return out + struct.pack("<QQ", *vectors) + bytes(0x2a0 - 0x208)


def read_snp(evidence):
    report = evidence["attestation_report"]
    certificate, = evidence["cert_chain"]
    key = x509.load_der_x509_certificate(bytes(certificate["data"])).public_key()
    r, s = (int.from_bytes(bytes(report["signature"][name]), "little") for name in ("r", "s"))
    check_signature(key, hashes.SHA384(), r, s, snp_report(report))
    return bytes(report["report_data"]), {"measurement": bytes(report["measurement"]).hex(),
                                          "policy_debug_allowed": bool(report["policy"] >> 19 & 1)}


def read_tdx(evidence):
    quote = base64.b64decode(evidence["quote"], validate=True)
    body = quote[48:632]
    signature, point = quote[636:700], quote[700:764]
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + point)
    check_signature(key, hashes.SHA256(), int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"),
                    quote[:632])
    return body[520:584], {"quote": {"body": {"mr_td": body[136:184].hex()}}, "tcb_status": "UpToDate"}


def read_cca(evidence):
    token = bytes(evidence["token"])
    # The realm's claim 10: 64 bytes.
    at = token.index(b"\x0a\x58\x40") + 3
    return token[at:at + 64], {"realm": {}, "platform": {}}


READERS = {"sample": read_sample, "snp": read_snp, "tdx": read_tdx, "cca": read_cca}
