"""The provider in the stock openssl tool."""
import os
import pathlib

import pytest
from harness import (MEDIA_TYPE, Machine, Verifier, PROVIDER, RELEASE, Process, free_ports, is_listening,
                     provider_environment, run)


@pytest.fixture
def openssl(site):
    def call(*arguments, env=None, timeout=30):
        return run("openssl", arguments[0], *PROVIDER, *arguments[1:], timeout=timeout,
                   env=env or provider_environment(site.server, site.verifier))
    return call


@pytest.fixture
def binder(tmp_path):
    file = tmp_path / "binder"
    file.write_bytes(os.urandom(32))
    return file


def cbor_items(data):
    """As much CBOR as Evidence needs: text, bytes, arrays and maps of definite length."""
    def item(at):
        major, low = data[at] >> 5, data[at] & 31
        at += 1
        size = low
        if low >= 24:
            width = 1 << (low - 24)
            size = int.from_bytes(data[at:at + width], "big")
            at += width
        if major in (2, 3):
            value = data[at:at + size]
            return (value.decode() if major == 3 else value), at + size
        values = []
        for _ in range(size * (2 if major == 5 else 1)):
            value, at = item(at)
            values.append(value)
        return (dict(zip(values[::2], values[1::2])) if major == 5 else values), at
    value, end = item(0)
    assert end == len(data)
    return value


def test_sign_emits_evidence_whose_quote_the_tpm_tools_accept(site, openssl, binder, tmp_path):
    evidence = tmp_path / "evidence"
    done = openssl("pkeyutl", "-sign", "-inkey", "atls:attester", "-in", binder, "-out", evidence)
    assert done.returncode == 0, done.stderr
    media_type, payload = cbor_items(evidence.read_bytes())
    assert media_type == MEDIA_TYPE
    pat = cbor_items(payload)["pat"]
    (tmp_path / "quote").write_bytes(pat["attestInfo"])
    (tmp_path / "signature").write_bytes(pat["sig"])
    checked = run("tpm2_checkquote", "-u", site.server.state / "ak.pem", "-m", tmp_path / "quote",
                  "-s", tmp_path / "signature", "-q", binder.read_bytes().hex(), "-g", "sha256")
    assert checked.returncode == 0, checked.stderr
    other = run("tpm2_checkquote", "-u", site.server.state / "ak.pem", "-m", tmp_path / "quote",
                "-s", tmp_path / "signature", "-q", "00" * 32, "-g", "sha256")
    assert other.returncode != 0


def test_verify_accepts_through_the_verifier_and_refuses_another_binder(openssl, binder, tmp_path):
    evidence = tmp_path / "evidence"
    openssl("pkeyutl", "-sign", "-inkey", "atls:attester", "-in", binder, "-out", evidence)
    good = openssl("pkeyutl", "-verify", "-inkey", "atls:attester", "-in", binder, "-sigfile",
                   evidence)
    assert good.returncode == 0 and "Verified Successfully" in good.stdout
    (tmp_path / "other").write_bytes(os.urandom(32))
    bad = openssl("pkeyutl", "-verify", "-inkey", "atls:attester", "-in", tmp_path / "other",
                  "-sigfile", evidence)
    assert bad.returncode != 0 and "kat_nonce_mismatch" in bad.stderr


def test_verify_without_the_verifier_is_refused(site, openssl, binder, tmp_path):
    evidence = tmp_path / "evidence"
    openssl("pkeyutl", "-sign", "-inkey", "atls:attester", "-in", binder, "-out", evidence)
    env = provider_environment(site.server, site.verifier)
    env["ATLS_VERIFIER"] = f"http://127.0.0.1:{free_ports()}"
    bad = openssl("pkeyutl", "-verify", "-inkey", "atls:attester", "-in", binder, "-sigfile",
                  evidence, env=env)
    assert bad.returncode != 0 and "verifier_unavailable" in bad.stderr


def test_certificate_and_request_with_the_key_in_the_tpm(openssl, tmp_path):
    certificate, request = tmp_path / "c.pem", tmp_path / "r.pem"
    done = openssl("req", "-x509", "-key", "atls:tik", "-subj", "/CN=x", "-out", certificate)
    assert done.returncode == 0, done.stderr
    assert run("openssl", "verify", "-CAfile", certificate, certificate).returncode == 0
    done = openssl("req", "-new", "-key", "atls:tik", "-subj", "/CN=x", "-out", request)
    assert done.returncode == 0, done.stderr
    assert "OK" in run("openssl", "req", "-in", request, "-verify", "-noout").stderr


@pytest.mark.parametrize("mode", [[], ["-async"]], ids=["blocking", "async-by-descriptor"])
def test_server_with_the_key_in_the_tpm(site, openssl, tmp_path, mode):
    certificate = tmp_path / "c.pem"
    openssl("req", "-x509", "-key", "atls:tik", "-subj", "/CN=x", "-out", certificate)
    port = free_ports()
    server = Process(["openssl", "s_server", *PROVIDER, "-accept", f"127.0.0.1:{port}", "-key",
                      "atls:tik", "-cert", certificate, "-www", *mode], tmp_path / "s_server.log",
                     lambda: is_listening(port), env=provider_environment(site.server))
    try:
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-CAfile",
                   certificate, "-verify_return_error", "-groups", "P-256")
        assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
        assert "TLSv1.3" in done.stdout
    finally:
        server.stop()
        site.server.flush_left_keys()  # it was killed


def test_settings_from_openssl_cnf(site, binder, tmp_path):
    config = tmp_path / "openssl.cnf"
    config.write_text(f"""
openssl_conf = init
[init]
providers = list
[list]
default = default_section
atls = atls_section
[default_section]
activate = 1
[atls_section]
module = {RELEASE}/lib/atls.so
activate = 1
tcti = {site.server.tcti}
state = {site.server.state}
""")
    env = {k: v for k, v in os.environ.items() if not k.startswith("ATLS_")}
    done = run("openssl", "pkeyutl", "-sign", "-inkey", "atls:attester", "-in", binder, "-out",
               tmp_path / "evidence", env={**env, "OPENSSL_CONF": str(config)})
    assert done.returncode == 0, done.stderr


def test_other_keys_stay_with_the_default_provider(openssl, tmp_path):
    """Loaded first, the provider would be asked for every EC key of the program. (That it is not
    asked once its own key is in use either is shown by the server above, which agrees on P-256.)"""
    key = tmp_path / "key.pem"
    data = tmp_path / "data"
    data.write_bytes(b"x")
    for arguments in (
            ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key),
            ("pkey", "-in", key, "-pubout", "-out", tmp_path / "pub.pem"),
            ("dgst", "-sha256", "-sign", key, "-out", tmp_path / "s", data),
            ("dgst", "-sha256", "-verify", tmp_path / "pub.pem", "-signature", tmp_path / "s", data),
            ("pkeyutl", "-derive", "-inkey", key, "-peerkey", tmp_path / "pub.pem", "-out",
             tmp_path / "secret")):
        done = openssl(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


@pytest.mark.parametrize("missing, words", [
    (["ATLS_STATE", "ATLS_VERIFIER"], "set ATLS_TCTI and ATLS_STATE"),
    (["ATLS_RESULT_KEY"], "ATLS_RESULT_KEY is not"),
])
def test_missing_settings_are_named(site, openssl, binder, tmp_path, missing, words):
    env = provider_environment(site.server, site.verifier)
    for name in missing:
        env.pop(name)
    done = openssl("pkeyutl", "-sign", "-inkey", "atls:attester", "-in", binder, "-out",
                   tmp_path / "e", env=env)
    assert done.returncode != 0 and words in done.stderr


def test_unknown_uri(openssl, tmp_path):
    done = openssl("pkey", "-in", "atls:nothing", "-noout")
    assert done.returncode != 0
    assert "expected atls:tik or atls:attester" in done.stderr


def test_a_program_that_forks(tmp_path):
    """And that reads no Attestation Result after a verification that failed. The keys are at handles,
    and each process gives way to the next: this TPM has room for the sessions of one."""
    program = tmp_path / "forker"
    made = run("cc", "-Wall", "-Werror", "-o", program, pathlib.Path(__file__).with_name("forker.c"),
               "-lcrypto")
    assert made.returncode == 0, made.stderr
    machine = Machine(tmp_path / "machine", handle="0x81010001")
    with Verifier(tmp_path / "verifier", [machine]) as verifier:
        env = {**provider_environment(machine, verifier), "TPM2TOOLS_TCTI": machine.tcti}
        done = run(program, RELEASE / "lib", "tpm2_flushcontext --loaded-session", env=env,
                   timeout=90)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert not machine.flush_left_keys()
    machine.stop()
