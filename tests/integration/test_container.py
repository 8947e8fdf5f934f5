"""The image of docker/Dockerfile, built and run without a container engine; the other files as far as they go."""
import os
import re
import shutil

import pytest
import yaml

from harness import (BIN, TOP, Application, Atlsd, Machine, Process, Verifier, ask, echo, free_ports, is_listening,
                     run, wait_until)

DOCKER = TOP / "docker"
# The first one builds the image (conftest.py).
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def container(image):
    made = run(*image, "from", "--pull-never", "localhost/atlsd")
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()

    def command(*arguments, mounts=()):
        volumes = [word for one in mounts for word in ("-v", one)]
        return [*image, "run", *volumes, name, "--", *arguments]

    yield command
    run(*image, "rm", name)


def test_the_image_attests_to_a_peer_outside(container, site, tmp_path):
    machine = Machine(tmp_path / "machine", provision=False)
    state, etc = tmp_path / "state", tmp_path / "etc"
    for directory in (state, etc):
        directory.mkdir()
    os.chown(state, 10001, 10001)
    os.chmod(tmp_path, 0o755)
    mounts = [f"{state}:/var/lib/atlsd", f"{etc}:/etc/atlsd:ro"]
    done = run(*container("atls", "provision", "--tcti", machine.tcti, "--state-dir", "/var/lib/atlsd", mounts=mounts))
    assert done.returncode == 0, done.stdout + done.stderr
    machine.state = state
    port, egress_port = free_ports(), free_ports()
    with Application(echo) as application, Verifier(tmp_path / "verifier", [machine, site.client]) as verifier:
        shutil.copy(verifier.result_key, etc / "result.pub")
        (etc / "atlsd.json").write_text(f"""{{
            "identity": {{"attester": "tpm", "tpm": {{"tcti": "{machine.tcti}"}}}},
            "verifier": {{"url": "{verifier.url}", "result_key": "result.pub"}},
            "tunnels": [{{"name": "t", "role": "ingress", "listen": "127.0.0.1:{port}",
                          "target": "127.0.0.1:{application.port}", "attest": true, "require_attestation": true}}]}}""")
        for file in etc.iterdir():
            file.chmod(0o644)
        with Process(container("atlsd", "--config", "/etc/atlsd/atlsd.json", mounts=mounts), tmp_path / "log",
                     lambda: is_listening(port)) as process:
            # As a probe in the same container does.
            wait_until("ready", lambda: run(*container("atls", "status", "--ready")).returncode == 0)
            with Atlsd(tmp_path, {"identity": site.client.identity(), "verifier": verifier.settings(), "tunnels": [
                    {"name": "t", "role": "egress", "listen": f"127.0.0.1:{egress_port}", "target": f"127.0.0.1:{port}",
                     "attest": True, "require_attestation": True}]}):
                assert ask(egress_port) == b"hello", process.log()
            # Its entry point's process, not buildah's.
            pid, = [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if serves(p, port)]
            status = open(f"/proc/{pid}/status").read()
            assert re.search(r"^Uid:\s10001\s10001", status, re.M), status
            os.kill(pid, 15)
            process.popen.wait(15)
    machine.stop()


def serves(pid, port):
    try:
        arguments = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
    except OSError:
        return False
    return arguments[0].endswith(b"atlsd") and b"/etc/atlsd/atlsd.json" in arguments


def test_the_image_is_small_and_holds_no_tools(container, image):
    shown = run(*container("sh", "-c", "id -u; command -v g++ cmake python3 gcc; du -sx / 2>/dev/null | cut -f1; "
                           "find / -xdev -writable -not -path '/proc/*' -not -path '/dev/*' -not -path '/tmp*' "
                           "-not -path '/var/tmp*' -not -path '/run/*' -not -path '/var/lib/atlsd*' "
                           "-not -type l 2>/dev/null; true"))
    user, size, *writable = shown.stdout.split()
    assert user == "10001"
    assert int(size) < 200 * 1024, f"{int(size) // 1024} MiB"
    assert [w for w in writable if not w.startswith(("/run/lock", "/var/lock", "/sys"))] == []


def config_of(text):
    return re.sub(r"^\s*//.*$", "", text, flags=re.M)


def test_the_configurations_in_compose_and_kubernetes_are_valid(tmp_path):
    manifests = list(yaml.safe_load_all((DOCKER / "kubernetes.yaml").read_text()))
    assert [m["kind"] for m in manifests] == ["ConfigMap", "Deployment"]
    (tmp_path / "pod.json").write_text(manifests[0]["data"]["atlsd.json"])
    for file in (tmp_path / "pod.json", DOCKER / "demo/ingress.json", DOCKER / "demo/egress.json"):
        done = run(BIN / "atlsd", "--check=syntax", "--config", file)
        assert done.returncode == 0, done.stderr
    pod = manifests[1]["spec"]["template"]["spec"]
    sidecar, = pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always" and sidecar["securityContext"]["readOnlyRootFilesystem"]
    drained_by = int(sidecar["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] > drained_by + 20
    # Every command is one that atls knows.
    for command in (sidecar["startupProbe"]["exec"]["command"], sidecar["lifecycle"]["preStop"]["exec"]["command"]):
        assert command[0] == "atls" and command[1] in run(BIN / "atls", "--help").stdout

    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    # Compose 1.29, the one of Debian 12, knows these.
    assert {key for key in compose if not key.startswith("x-")} == {"services", "volumes"}
    assert set(compose["services"]) == {"tpm-server", "tpm-client", "provision", "verifier", "ingress", "application",
                                        "egress", "client"}
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists(), source


def test_the_demo_waits_for_nothing_longer_than_it_must():
    """Each service begins when those before it are healthy; that is looked at every other second."""
    looked_at = re.search(r"^HEALTHCHECK --interval=(\d+)s", (DOCKER / "Dockerfile").read_text(), re.M)
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    for service in compose["services"].values():
        depends_on = service.get("depends_on", [])
        for name in (n for n in depends_on if isinstance(depends_on, dict)):
            if depends_on[name]["condition"] == "service_healthy":
                own = compose["services"][name].get("healthcheck", {}).get("interval")
                assert (own or looked_at[1] + "s") in ("1s", "2s"), name


def test_the_demo_provisions_when_the_tpms_are_there(tmp_path):
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    script, = compose["services"]["provision"]["command"]
    script = script.replace("$$", "$").replace("/var/lib/atlsd", str(tmp_path))
    atls = tmp_path / "bin/atls"
    atls.parent.mkdir()

    def provision(failures):
        (tmp_path / "tries").write_text("")
        atls.write_text(f"""#!/bin/sh
            echo x >> {tmp_path}/tries
            [ $(wc -l < {tmp_path}/tries) -gt {failures} ] || exit 1
            mkdir -p "$5" && echo "$3" | tee "$5/trust-anchor.cbor" > "$5/reference-values.cbor"
            """)
        atls.chmod(0o755)
        return run(*compose["services"]["provision"]["entrypoint"], script,
                   env={**os.environ, "PATH": f"{atls.parent}:{os.environ['PATH']}"})

    assert provision(3).returncode == 0
    assert (tmp_path / "endorsements/client-trust-anchor.cbor").read_text() == "swtpm:host=tpm-client,port=2321\n"
    # Not for ever.
    assert provision(1000).returncode != 0
