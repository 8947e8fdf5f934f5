"""Confidential VMs for the tests: a kernel's configfs-tsm over FUSE, and firmware that signs with the
published test keys of tests/vectors."""
import json
import pathlib
import shutil
import subprocess

from harness import BIN, PATIENCE, RELEASE, TOP, Process, wait_until

VECTORS = TOP / "tests/vectors"
PROGRAM = RELEASE / "bin/fake-tsm"

# What is a machine of each kind, as it is when nothing is wrong with it; the facts are what a Verifier
# knows it by.
KINDS = {
    "snp": {"provider": "sev_guest", "template": "snp/report-good.bin", "key": "snp/keys/vcek.key.pem",
            "auxblob": "snp/auxblob-vcek-pem.bin", "type": "application/vnd.veraison.tsm-report+cbor; provider=sev_guest",
            "measured": ("measurement", slice(0x90, 0xC0))},
    "tdx": {"provider": "tdx_guest", "template": "tdx/quote-v4-good.bin", "key": "tdx/keys/attestation.key.pem",
            "type": "application/vnd.veraison.tsm-report+cbor; provider=tdx_guest",
            "measured": ("mrtd", slice(48 + 136, 48 + 184))},
    "cca": {"provider": "arm_cca_guest", "template": "cca/token-907-good.cbor", "key": "cca/keys/rak.key.pem",
            "type": 'application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0"'},
}


def can_mount():
    return pathlib.Path("/dev/fuse").exists() and PROGRAM.exists()


class ConfidentialVm:
    """`changed` is what stands at some places of its report: {offset: bytes}. Other options are the fake
    kernel's."""

    def __init__(self, directory, kind, template=None, changed=None, without_certificates=False, **options):
        self.kind = KINDS[kind]
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        report = bytearray((VECTORS / (template or self.kind["template"])).read_bytes())
        for at, content in (changed or {}).items():
            report[at:at + len(content)] = content
        (self.directory / "report.bin").write_bytes(report)
        self.root = self.directory / "report"
        self.root.mkdir()
        arguments = [PROGRAM, self.root, "--provider", self.kind["provider"],
                     "--template", self.directory / "report.bin", "--key", VECTORS / self.kind["key"]]
        if "auxblob" in self.kind and not without_certificates:
            arguments += ["--auxblob", VECTORS / self.kind["auxblob"]]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", value]
        self.kernel = Process(arguments, self.directory / "kernel.log", self.root.is_mount)
        self.kernel.expected_exit = (0, -15)

    def identity(self, **tsm):
        return {"attester": "tsm", "tsm": {"root": str(self.root), **tsm}}

    def stop(self):
        self.kernel.stop()
        if self.root.is_mount():
            subprocess.run(["fusermount3", "-u", "-z", str(self.root)], timeout=PATIENCE, check=False)
            wait_until("unmount", lambda: not self.root.is_mount())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def endorse(directory, **changed):
    """What a Verifier knows of these kinds of machines, in its directory `endorsements`; `changed` are
    documents instead of those."""
    directory = pathlib.Path(directory) / "endorsements"
    directory.mkdir(parents=True)
    for file in ("snp/ark.pem", "tdx/root.pem", "tdx/collateral.json", "sgx/collateral.json", "cca/iak.pub.pem"):
        shutil.copy(VECTORS / file, directory / file.replace("/", "-"))
    known = {
        "snp": {"roots": "snp-ark.pem", "min_tcb": {"bootloader": 9, "tee": 0, "snp": 23, "microcode": 72},
                "references": [{"measurement": measured("snp")}]},
        "tdx": {"roots": "tdx-root.pem", "collateral": ["tdx-collateral.json"],
                "references": [{"mrtd": measured("tdx")}]},
        "sgx": {"roots": "tdx-root.pem", "collateral": ["sgx-collateral.json"],
                "references": [{"mrenclave": "5a" * 32, "mrsigner": "c3" * 32}]},
        "cca": {"platforms": [{"instance_id": cca_facts()["instance_id"], "key": "cca-iak.pub.pem"}],
                "platform_references": [{name: cca_facts()[name] for name in ("implementation_id", "components", "config")}],
                "references": [{name: cca_facts()[name] for name in ("rim", "rem0", "rem1", "rem2", "rem3")}]},
    }
    known["azure"] = {kind: known[kind]["references"] for kind in ("snp", "tdx")}
    for name, content in changed.items():
        if isinstance(content, bytes):
            (directory / name.replace("__", "-").replace("_dot_", ".")).write_bytes(content)
        else:
            known[name] |= content
    (directory / "confidential-vms.json").write_text(json.dumps(known))


def measured(kind):
    _, place = KINDS[kind]["measured"]
    return (VECTORS / KINDS[kind]["template"]).read_bytes()[place].hex()


def cca_facts():
    shown = subprocess.run([BIN / "atls", "inspect", VECTORS / KINDS["cca"]["template"]], capture_output=True,
                           text=True, timeout=PATIENCE, check=True)
    return json.loads(shown.stdout)["cca"]
