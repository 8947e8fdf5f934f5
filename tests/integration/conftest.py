import contextlib
import os
import pathlib
import resource
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import (RELEASE, TOP, Admin, Application, Atlsd, Machine, Pki, Running, Verifier, echo, free_ports,  # noqa: E402
                     plain_client, plain_server, run)


# Thousands of connections have both their ends here.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


@pytest.fixture(scope="session")
def image():
    """buildah's command line for the storage with the image; kept over runs."""
    if "ATLS_NIGHTLY" not in os.environ:
        pytest.skip("a part of --nightly")
    if os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "debootstrap"))):
        pytest.skip("needs root, buildah and debootstrap")
    directory = TOP / "build/container"
    built = run(TOP / "tests/container/build", directory, timeout=1700)
    assert built.returncode == 0, built.stdout + built.stderr
    os.environ |= {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    return ["buildah", "--root", directory / "storage", "--runroot", directory / "run"]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Two machines that the Verifier knows, the Verifier, a PKI."""

    class Site:
        pass

    made = Site()
    directory = tmp_path_factory.mktemp("site")
    made.server = Machine(directory / "server")
    made.client = Machine(directory / "client")
    made.verifier = Verifier(directory / "verifier", [made.server, made.client])
    made.pki = Pki(directory / "pki")
    made.server_certificate = made.pki.issue_for(made.server, "server.test")
    made.client_certificate = made.pki.issue_for(made.client, "client.test")
    yield made
    made.verifier.stop()
    made.server.stop()
    made.client.stop()


@pytest.fixture(autouse=True)
def nothing_left_in_the_tpms(site):
    yield
    assert not site.server.flush_left_keys() + site.client.flush_left_keys()


class Pair:
    """An ingress atlsd before an application, an egress atlsd before the ingress."""

    def __init__(self, directory, ingress, egress, application, ingress_tunnel, egress_tunnel,
                 binaries=None):
        self.application = application
        self.directory = directory
        self.binaries = binaries
        self.ingress_port = free_ports()
        self.egress_port = free_ports()
        self.ingress = Atlsd(directory, {**ingress, "tunnels": [{
            "name": "t", "role": "ingress", "listen": f"127.0.0.1:{self.ingress_port}",
            "target": f"127.0.0.1:{application.port}", **ingress_tunnel}]}, "ingress", binaries)
        self.egress_config = {**egress, "tunnels": [{
            "name": "t", "role": "egress", "listen": f"127.0.0.1:{self.egress_port}",
            "target": f"127.0.0.1:{self.ingress_port}", **egress_tunnel}]}
        try:
            self.egress = Atlsd(directory, self.egress_config, "egress", binaries)
        except BaseException:
            self.ingress.stop()
            raise

    @contextlib.contextmanager
    def another_egress(self, target, **changed):
        """The same egress once more, to another target: its port. It needs a TPM of its own, if any."""
        port = free_ports()
        tunnel = {**self.egress_config["tunnels"][0], "listen": f"127.0.0.1:{port}", "target": target}
        with Atlsd(self.directory, {**self.egress_config, **changed, "tunnels": [tunnel]}, "another",
                   self.binaries):
            yield port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.egress.__exit__()
        self.ingress.__exit__()


@pytest.fixture
def pair(site, tmp_path):
    """Makes a Pair; mutual attestation without PKI unless told otherwise."""
    made = []

    def make(handle=echo, ingress=None, egress=None, ingress_tunnel=None, egress_tunnel=None,
             ingress_verifier=None, egress_verifier=None, server=None, client=None, binaries=None):
        mutual = {"attest": True, "require_attestation": True}
        application = Application(handle)
        one = Pair(
            tmp_path,
            {"identity": (server or site.server).identity(),
             "verifier": {**site.verifier.settings(), **(ingress_verifier or {})}, **(ingress or {})},
            {"identity": (client or site.client).identity(),
             "verifier": {**site.verifier.settings(), **(egress_verifier or {})}, **(egress or {})},
            application,
            mutual if ingress_tunnel is None else ingress_tunnel,
            mutual if egress_tunnel is None else egress_tunnel, binaries)
        made.append(application)
        made.append(one)
        return one

    yield make
    for one in reversed(made):
        one.__exit__(None, None, None)


@pytest.fixture
def running(pair, tmp_path):
    def make(handle=echo, **settings):
        ingress = {"admin": {"listen": f"unix:{tmp_path}/admin.sock"}, "reload": {"watch": False},
                   **settings.pop("ingress", {})}
        return Running(pair(handle, ingress=ingress, **settings), tmp_path)

    return make


@pytest.fixture
def plain(site, tmp_path):
    """(server, its admin, port of a client before it) without attestation, optimised."""
    with contextlib.ExitStack() as stack:
        def make(handle=echo, **more):
            application = stack.enter_context(Application(handle))
            server_port, client_port = free_ports(2), free_ports()
            server = stack.enter_context(
                Atlsd(tmp_path, plain_server(tmp_path, site, application, server_port, **more), "server",
                      RELEASE / "bin"))
            stack.enter_context(Atlsd(tmp_path, plain_client(client_port, server_port), "client",
                                      RELEASE / "bin"))
            return server, Admin(tmp_path / "admin.sock"), client_port

        yield make
