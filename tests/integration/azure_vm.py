"""Azure confidential VMs for the tests: a software TPM prepared as their vTPM, and the instance metadata
service, with hardware that signs with the published test keys of tests/vectors."""
import base64
import contextlib
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from confidential_vm import VECTORS
from harness import HttpService, Machine

HCL_INDEX, AK_HANDLE = "0x01400001", "0x81000003"
SNP, TDX = 2, 4
TD_REPORT_DATA, QUOTE_REPORT_DATA = slice(128, 192), slice(48 + 520, 48 + 584)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(key, algorithm, message, size, order):
    """r and s with the test key of that name, each `size` bytes."""
    private = serialization.load_pem_private_key((VECTORS / key).read_bytes(), None)
    r, s = utils.decode_dss_signature(private.sign(bytes(message), ec.ECDSA(algorithm)))
    return r.to_bytes(size, order) + s.to_bytes(size, order)


def changed(template, places):
    out = bytearray((VECTORS / template).read_bytes())
    for at, content in places.items():
        out[at:at + len(content)] = content
    return out


def snp_report(report_data, places):
    report = changed("snp/report-good.bin", places)
    report[0x50:0x90] = report_data
    report[0x2a0:0x330] = sign("snp/keys/vcek.key.pem", hashes.SHA384(), report[:0x2a0], 72, "little")
    return bytes(report)


def td_quote(report_data, places):
    quote = changed("tdx/quote-v4-good.bin", places)
    quote[QUOTE_REPORT_DATA] = report_data
    quote[636:700] = sign("tdx/keys/attestation.key.pem", hashes.SHA256(), quote[:632], 32, "big")
    return bytes(quote)


def td_report(report_data):
    out = bytearray(1024)
    out[0] = 0x81
    out[TD_REPORT_DATA] = report_data
    return bytes(out)


def hcl_report(kind, hardware_report, runtime_data):
    head = struct.pack("<4sIIII12x", b"HCLA", 2, 1236 + len(runtime_data), 2, 0)
    data = struct.pack("<IIIII", 20 + len(runtime_data), 1, SNP if kind == "snp" else TDX, 1, len(runtime_data))
    return head + hardware_report.ljust(1184, b"\0") + data + runtime_data


class MetadataService(HttpService):
    """What a VM may ask about its hardware. `quote_changed` is what stands at some places of its quotes,
    `answers` whether it answers at all."""

    def __init__(self, quote_changed=None):
        self.answers = True
        self.requests = []
        outer = self

        class Handler(self.Handler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path))
                content = outer.answer_to(self.command, self.path, self.headers, body) if outer.answers else None
                encoded = json.dumps(content or {"error": "not now"}).encode()
                self.send_response(200 if content else 503)
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = answer

        self.quote_changed = quote_changed or {}
        super().__init__(Handler)

    def answer_to(self, method, path, headers, body):
        if (method, path) == ("GET", "/metadata/THIM/amd/certification") and headers["Metadata"] == "true":
            vcek, ask, ark = ((VECTORS / f"snp/{name}.pem").read_text() for name in ("vcek", "ask", "ark"))
            return {"vcekCert": vcek, "certificateChain": ask + ark, "tcbm": "DB18000000000004"}
        if (method, path) == ("POST", "/acc/tdquote"):
            report = json.loads(body)["report"]
            report = base64.urlsafe_b64decode(report + "=" * (-len(report) % 4))
            return {"quote": base64url(td_quote(report[TD_REPORT_DATA], self.quote_changed))}
        return None


class AzureVm(Machine):
    """`changed` is what stands at some places of the hardware's report or quote: {offset: bytes}.
    `forged_key`: the HCL report names another key than the vTPM's."""

    def __init__(self, directory, kind, changed=None, forged_key=False):
        super().__init__(directory, provision=False)
        self.kind = kind
        self.metadata = MetadataService(changed if kind == "tdx" else None)
        self.put_key()
        runtime_data = self.runtime_data(forged_key)
        report_data = hashlib.sha256(runtime_data).digest() + bytes(32)
        report = snp_report(report_data, changed or {}) if kind == "snp" else td_report(report_data)
        self.put_hcl_report(hcl_report(kind, report, runtime_data))
        self.flush_left_keys()
        done = self.provision("--pcrs", self.pcrs)
        assert done.returncode == 0, done.stderr

    def checked_tpm2(self, tool, *arguments):
        done = self.tpm2(tool, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def put_key(self):
        context = self.directory / "hcl-ak.ctx"
        self.checked_tpm2("tpm2_createprimary", "-C", "endorsement", "-G", "rsa2048:rsassa-sha256:null", "-c", context,
                          "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")
        self.checked_tpm2("tpm2_evictcontrol", "-C", "owner", "-c", context, AK_HANDLE)
        self.checked_tpm2("tpm2_readpublic", "-c", AK_HANDLE, "-f", "pem", "-o", self.directory / "hcl-ak.pem")

    def runtime_data(self, forged_key):
        if forged_key:
            other = (VECTORS / "azure/keys/ak.key.pem").read_bytes()
            key = serialization.load_pem_private_key(other, None).public_key()
        else:
            key = serialization.load_pem_public_key((self.directory / "hcl-ak.pem").read_bytes())
        numbers = key.public_numbers()
        document = {"keys": [{"kid": "HCLAkPub", "key_ops": ["sign"], "kty": "RSA", "e": "AQAB",
                              "n": base64url(numbers.n.to_bytes(256, "big"))}],
                    "vm-configuration": {"console-enabled": True, "secure-boot": True, "tpm-enabled": True,
                                         "vmUniqueId": "00000000-0000-0000-0000-000000000001"},
                    "user-data": "0" * 128}
        return json.dumps(document, separators=(",", ":")).encode()

    def put_hcl_report(self, report):
        # As long as libtpms lets an index be.
        size = 2048
        file = self.directory / "hcl.bin"
        file.write_bytes(report.ljust(size, b"\0"))
        self.checked_tpm2("tpm2_nvdefine", HCL_INDEX, "-C", "owner", "-s", size, "-a", "ownerread|ownerwrite")
        self.checked_tpm2("tpm2_nvwrite", HCL_INDEX, "-C", "owner", "-i", file)

    def identity(self, **more):
        out = super().identity(**more)
        return {**out, "attester": "azure", "azure": {"metadata": self.metadata.url}, **more}

    def stop(self):
        with contextlib.ExitStack() as last:
            last.callback(super().stop)
            self.metadata.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
