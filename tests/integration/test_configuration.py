"""atlsd --check, the schema for editors, and documents that include others."""
import json
import os
import re

import jsonschema
import pytest

from harness import BIN, TOP, run

BAD = TOP / "tests/integration/bad_configurations"
CASES = sorted(file.stem for file in BAD.glob("*.json"))
GOLDEN = dict(re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", (BAD / "golden.txt").read_text(), re.M | re.S))
SCHEMA = json.loads((TOP / "config/atlsd.schema.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_check_tells_every_mistake_with_its_place(case):
    done = run(BIN / "atlsd", "--check", "--config", f"{case}.json", cwd=BAD)
    assert done.returncode == 1
    assert done.stdout + done.stderr == GOLDEN[case]


def test_there_are_more_than_twenty_of_them():
    assert len(CASES) > 20 and set(CASES) == set(GOLDEN)


def without_comments(text):
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))


def test_the_schema_accepts_the_examples():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    examples = [file for file in (TOP / "config").glob("*.json") if "schema" not in file.name]
    assert len(examples) >= 5
    for file in examples:
        jsonschema.validate(without_comments(file.read_text()), SCHEMA)


@pytest.mark.parametrize("case", ["not_an_object", "typing_errors", "wrong_types", "verifier_urls", "pcrs", "rules",
                                  "vacuous_rules", "durations", "groups", "include", "passports", "verifier_kinds",
                                  "certificates"])
def test_the_schema_refuses_what_it_can_see(case):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads((BAD / f"{case}.json").read_text()), SCHEMA)


def test_included_tunnels_and_the_environment(tmp_path):
    tunnel = {"name": "a", "role": "egress", "listen": "127.0.0.1:${PORT:-8080}", "target": "b:1",
              "peer": {"unsafe_unauthenticated": True}}
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.json").write_text(json.dumps({"tunnels": [tunnel]}))
    (tmp_path / "conf.d/ignored.txt").write_text("nonsense")
    main = tmp_path / "atlsd.json"
    main.write_text(json.dumps({"include": "conf.d"}))
    done = run(BIN / "atlsd", "--check", "--config", main)
    assert (done.returncode, done.stdout) == (0, f"{main}: valid\n")
    done = run(BIN / "atlsd", "--check", "--config", main, env={**os.environ, "PORT": "http"})
    assert done.returncode == 1 and f"{tmp_path}/conf.d/a.json: tunnels[0].listen:" in done.stderr
    main.write_text(json.dumps({"include": "nowhere"}))
    done = run(BIN / "atlsd", "--check", "--config", main)
    assert done.returncode == 1 and f"cannot read the directory {tmp_path}/nowhere" in done.stderr


def check(file, *options):
    done = run(BIN / "atlsd", *(options or ["--check"]), "--config", file)
    return done.returncode, (done.stdout + done.stderr).replace(f"{file.parent}/", "").splitlines()


def test_check_reads_the_files_that_are_named(site, tmp_path):
    certificate, key = site.pki.issue("checked.test")
    _, another_key = site.pki.issue("another.test")
    (tmp_path / "nonsense").write_text("nonsense")
    (tmp_path / "empty").write_text("\n")
    tunnel = {"name": "t", "role": "egress", "listen": "127.0.0.1:1", "target": "b:1", "require_attestation": True}
    file = tmp_path / "atlsd.json"

    def write(identity, verifier, ca=None):
        peer = {"peer": {"ca": str(ca), "names": ["b"]}} if ca else {}
        file.write_text(json.dumps({"identity": identity, "tunnels": [{**tunnel, **peer}],
                                    "verifier": {"url": "https://v.example", **verifier}}))

    def pair(one, other):
        return {"attester": "none", "certificate": str(one), "key": str(other)}

    write(pair(certificate, key), {"result_key": str(site.verifier.result_key), "ca": str(site.pki.ca),
                                   "certificate": str(certificate), "key": str(key)}, site.pki.ca)
    assert check(file) == (0, ["atlsd.json: valid"])
    write(site.server.identity(certificate=str(site.server_certificate)), {})
    assert check(file) == (0, ["atlsd.json: valid"])

    write(pair("absent", key), {"result_key": "nonsense", "ca": "absent", "certificate": str(certificate),
                                "key": str(another_key), "authorization_file": "empty"}, "nonsense")
    assert check(file, "--check=syntax") == (0, ["atlsd.json: valid"])
    code, lines = check(file)
    assert code == 1
    expected = [r"identity\.certificate: cannot read absent: No such file or directory",
                r"verifier\.result_key: nonsense: .*expected a JWK, a JWK Set or PEM public keys.*",
                r"verifier\.ca: cannot read absent: No such file or directory",
                rf"verifier\.key: {another_key} is not the key of the certificate in {certificate}",
                r"verifier\.authorization_file: empty is empty, expected the value of an Authorization header .*",
                r"tunnels\[0\]\.peer\.ca: nonsense holds no PEM certificate: .*"]
    assert len(lines) == len(expected)
    for line, wanted in zip(lines, expected):
        assert re.fullmatch(r"atlsd\.json: " + wanted, line), line

    # The identity of another machine, and none.
    write(site.client.identity(certificate=str(site.server_certificate)), {})
    assert check(file) == (1, [f"atlsd.json: identity.certificate: {site.server_certificate} is not for the key in the "
                               f"TPM, expected one for {site.client.state}/identity.json"])
    write(site.server.identity(tpm={"state_dir": "absent"}), {})
    code, (line,) = check(file)
    assert code == 1 and line.startswith("atlsd.json: identity.tpm.state_dir: absent/identity.json does not exist;")
