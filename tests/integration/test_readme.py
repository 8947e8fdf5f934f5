"""Every command of the README that a test can run, as it stands there."""
import json
import os
import re
import shutil
import subprocess

from harness import RELEASE, TOP, ProvisioningService, Verifier


def blocks():
    text = (TOP / "README.md").read_text()
    return re.findall(r"```\n(.*?)```", text, re.DOTALL)


def test_commands_of_the_readme(site, tmp_path):
    """Provisioning, atls-verifier, --check, the CSR and both pkeyutl commands; the rest is run by
    tests of its own (quickstart) or is a way to start what these tests start."""
    script = "\n".join(b for b in blocks() if "──" not in b and "./quickstart" not in b)
    state = tmp_path / "state"
    verifier = Verifier(tmp_path / "verifier", [site.server])
    veraison = ProvisioningService([ProvisioningService.session("success")])
    replacements = {
        "device:/dev/tpmrm0": site.server.tcti,
        "/var/lib/atlsd": str(state),
        "build/bin/": f"{RELEASE}/bin/",
        "build/lib": f"{RELEASE}/lib",
        "config/": f"{tmp_path}/config/",
        "http://127.0.0.1:8443": verifier.url,
        "https://veraison.example:9443": veraison.url,
        "--ca ca.pem": f"--ca {site.pki.ca}",
        "ATLS_RESULT_KEY=result.pem.pub": f"ATLS_RESULT_KEY={verifier.result_key}",
    }
    shutil.copytree(TOP / "config", tmp_path / "config")
    example = tmp_path / "config/ingress.json"
    example.write_text(example.read_text().replace("/var/lib/atlsd", str(state))
                       .replace("/etc/atlsd/verifier.jwk", str(verifier.result_key))
                       .replace("/etc/atlsd/verifier-ca.pem", str(site.pki.ca)))
    kept = []
    for line in script.splitlines():
        if "atls-verifier" in line or ("atlsd --config" in line):
            assert subprocess.run([str(RELEASE / "bin" / line.split("/")[2].split()[0]), "--help"],
                                  capture_output=True, check=False).returncode == 0
            continue
        for old, new in replacements.items():
            line = line.replace(old, new)
        kept.append(line)
    # The identity that the Verifier knows is the site's.
    kept = [line if "atls provision" not in line else
            line + f" && cp {site.server.state}/* {state}/" for line in kept]
    with veraison:
        done = subprocess.run(["bash", "-euxc", "\n".join(kept)], cwd=tmp_path, capture_output=True,
                              text=True, env={**os.environ, "TSS2_LOG": "all+NONE"}, timeout=240,
                              check=False)
    verifier.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "provisioned this machine" in done.stdout
    assert len(veraison.requests) == 3
    assert "ingress.json: valid" in done.stdout
    assert "Signature Verified Successfully" in done.stdout
    assert (tmp_path / "orders.csr").exists()


def test_the_table_of_facts_is_complete():
    """`evidence.key.curve`, `.attributes` stand for two facts of one group."""
    section = (TOP / "docs/policy.md").read_text()
    named = []
    for row in re.findall(r"^\| (`.*`) \|", section, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        group = first.rpartition(".")[0]
        named += [first, *(group + other for other in others)]
    schema = json.loads((TOP / "config/atlsd.schema.json").read_text())
    assert sorted(named) == sorted(schema["$defs"]["condition"]["properties"])


def test_every_reason_is_produced_by_a_test():
    """That a test names it; that it then comes true is that test's business."""
    reasons = re.findall(r"^  X\((\w+),", (TOP / "lib/core/error.hpp").read_text(), re.MULTILINE)
    assert len(reasons) > 70
    tests = "".join(file.read_text() for folder in ("unit", "integration")
                    for file in (TOP / "tests" / folder).rglob("*_test.cpp" if folder == "unit" else "test_*.py"))
    assert [reason for reason in reasons if not re.search(rf"\b{reason}\b", tests)] == []


def test_every_test_of_the_attack_table_is_there():
    table = (TOP / "tests/README.md").read_text()
    tests = "".join(file.read_text() for file in (TOP / "tests").rglob("*test*.[cp][py]*"))
    named = set(re.findall(r"\b(test_\w+)\b(?!\.py)", table))
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []
