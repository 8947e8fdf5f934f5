"""Real programs for the tests: software TPMs, Verifiers, atlsd, applications. All on 127.0.0.1."""
import base64
import contextlib
import http.client
import http.server
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
# What the tests drive (a sanitizer build), and an optimised build for what a sanitizer would spoil.
BIN = pathlib.Path(os.environ.get("ATLS_BIN", TOP / "build/bin"))
RELEASE = pathlib.Path(os.environ.get("ATLS_RELEASE", TOP / "build"))
# Seconds for what is bound to happen, on a machine that is busy with other things as well.
PATIENCE = 30

# The default of every program.
PCRS = "sha256:0,1,2,3,4,5,6,7,9"
MEDIA_TYPE = "application/vnd.parallaxsecond.key-attestation.tpm"


# Below the ports of outgoing connections, so that none of these takes one before its server listens.
# Each test run begins elsewhere; processes that share a run (pytest-xdist) have ports of their own.
PORTS = range(10000, 32000)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SHARE = len(PORTS) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
PORTS = PORTS[WORKER * SHARE:][:SHARE]
next_port = itertools.count(os.getpid() * 97)


def free_ports(count=1):
    """The first of `count` neighbouring ports that nobody uses, and that were not given before."""
    while True:
        ports = [PORTS[next(next_port) % len(PORTS)] for _ in range(count)]
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in ports:
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            if ports[-1] - ports[0] == count - 1:
                return ports[0]


def wait_until(what, condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {patience} s")


def is_listening(port):
    """Whether something listens, without connecting to it: that would be a connection in its log."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return True
    return False


class Process:
    """A program with its output in a file; ended with the `with` block or stop()."""

    def __init__(self, arguments, log, ready=None, env=None, cwd=None, close_fds=True,
                 stdin=subprocess.DEVNULL):
        self.log_path = pathlib.Path(log)
        self.expected_exit = (0,)
        with open(self.log_path, "wb") as out:
            self.popen = subprocess.Popen(
                [str(a) for a in arguments], stdout=out, stderr=subprocess.STDOUT,
                stdin=stdin, env=env, cwd=cwd, close_fds=close_fds)
        if ready:
            try:
                wait_until(f"start of {arguments[0]}", lambda: ready() or self.popen.poll() is not None)
                assert self.popen.poll() is None, f"{arguments[0]} ended: {self.log()}"
            except BaseException:
                self.stop()
                raise

    def log(self):
        return self.log_path.read_text(errors="replace")

    def cpu_seconds(self):
        """Of all its threads, ended ones too, to the nanosecond (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.popen.pid << 3 | 2)

    def stop(self):
        """Exit code after SIGTERM."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.stop()
        assert code in self.expected_exit, f"{self.popen.args[0]} ended with {code}: {self.log()}"


class StockClient(Process):
    """openssl s_client before a terminal: lines are typed, and awaited in what it shows."""

    def __init__(self, port, log, *options):
        super().__init__(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], log,
                         stdin=subprocess.PIPE)
        self.expected_exit = (0, -signal.SIGTERM)

    def type(self, line):
        self.popen.stdin.write(f"{line}\n".encode())
        self.popen.stdin.flush()

    def expect(self, line, count=1):
        """Until the line has been shown `count` times."""
        wait_until(f"{line!r} from s_client", lambda: self.log().splitlines().count(line) >= count)

    def __exit__(self, *_):
        with self.popen.stdin:
            super().__exit__()


class Machine:
    """A software TPM and the state directory of its attestation identity."""

    def __init__(self, directory, provision=True, pcrs=None, curve=None, handle=None, banks=None):
        self.directory = pathlib.Path(directory)
        (self.directory / "tpm").mkdir(parents=True)
        if banks:
            made = run("swtpm_setup", "--tpm2", "--tpmstate", self.directory / "tpm",
                       "--pcr-banks", banks)
            assert made.returncode == 0, made.stdout + made.stderr
        self.port = free_ports(2)
        self.tcti = f"swtpm:host=127.0.0.1,port={self.port}"
        self.state = self.directory / "state"
        self.pcrs = pcrs or PCRS
        self.swtpm = Process(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.directory}/tpm",
             "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1",
             "--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1",
             "--flags", "startup-clear,not-need-init"],
            self.directory / "swtpm.log", lambda: is_listening(self.port + 1))
        if provision:
            options = ["--pcrs", self.pcrs]
            options += ["--curve", curve] if curve else []
            options += ["--handle", handle] if handle else []
            done = self.provision(*options)
            assert done.returncode == 0, done.stderr

    def provision(self, *options, state=None, tcti=None):
        return run(BIN / "atls", "provision", "--tcti", tcti or self.tcti, "--state-dir",
                   state or self.state, *options)

    def tpm2(self, tool, *arguments):
        return run(tool, *arguments, env={**os.environ, "TPM2TOOLS_TCTI": self.tcti})

    def flush_left_keys(self):
        """What programs left in the TPM, which has no resource manager before it; it is cleared."""
        left = ""
        for kind in ("transient-object", "loaded-session"):
            capability = f"handles-{kind.removesuffix('-object')}"
            if found := self.tpm2("tpm2_getcap", capability).stdout:
                self.tpm2("tpm2_flushcontext", f"--{kind}")
            left += found
        return left

    def extend(self, pcr):
        done = self.tpm2("tpm2_pcrextend", f"{pcr}:sha256={'5a' * 32}")
        assert done.returncode == 0, done.stderr

    def become_version_1(self, directory):
        """Identity and endorsements as they were before keys had an authorisation: in the owner
        hierarchy, used by whoever reaches the TPM."""
        directory.mkdir()
        primary = directory / "primary.ctx"
        attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
        identity = json.loads((self.state / "identity.json").read_text())
        identity |= {"version": 1}
        del identity["authorization"], identity["bank"]

        def tpm2(tool, *arguments):
            done = self.tpm2(tool, *arguments)
            assert done.returncode == 0, done.stderr

        tpm2("tpm2_createprimary", "-C", "owner", "-G", "ecc256:null:aes128cfb", "-c", primary,
             "-a", f"{attributes}|restricted|decrypt")
        for name, scheme, more in (("ak", "ecc256:ecdsa-sha256:null", "|restricted"), ("tik", "ecc256:null:null", "")):
            public, private, context = (directory / f"{name}.{end}" for end in ("pub", "priv", "ctx"))
            tpm2("tpm2_create", "-C", primary, "-G", scheme, "-u", public, "-r", private,
                 "-a", f"{attributes}|sign{more}")
            self.tpm2("tpm2_flushcontext", "--transient-object")
            tpm2("tpm2_load", "-C", primary, "-u", public, "-r", private, "-c", context)
            tpm2("tpm2_readpublic", "-c", context, "-f", "der", "-o", directory / f"{name}.der")
            self.tpm2("tpm2_flushcontext", "--transient-object")
            identity[name] = {end: base64.b64encode((directory / f"{name}.{file}").read_bytes()).decode()
                              for end, file in (("public", "pub"), ("private", "priv"), ("spki", "der"))}
        (self.state / "identity.json").write_text(json.dumps(identity))
        endorsed = run(BIN / "atls", "endorse", "--tcti", self.tcti, "--state-dir", self.state,
                       "--pcrs", self.pcrs, "--trust-anchor")
        assert endorsed.returncode == 0, endorsed.stderr

    @property
    def kid(self):
        import hashlib
        der = run("openssl", "pkey", "-pubin", "-in", self.state / "ak.pem", "-outform", "DER",
                  text=False).stdout
        return "01" + hashlib.sha256(der).hexdigest()

    def identity(self, **more):
        return {"attester": "tpm", "tpm": {"tcti": self.tcti, "state_dir": str(self.state),
                                           "pcrs": self.pcrs}, **more}

    def stop(self):
        self.swtpm.stop()


class SlowTpm:
    """A machine's software TPM behind a wire that holds each command back for a while."""

    def __init__(self, machine, seconds):
        self.machine = machine
        self.seconds = seconds
        while True:
            port = free_ports(2)
            try:
                self.servers = [(socket.create_server(("127.0.0.1", port)), machine.port, seconds),
                                (socket.create_server(("127.0.0.1", port + 1)), machine.port + 1, 0)]
                break
            except OSError:
                continue
        self.tcti = f"swtpm:host=127.0.0.1,port={port}"
        for server in self.servers:
            threading.Thread(target=self._serve, args=server, daemon=True).start()

    def _serve(self, server, to, seconds):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            tpm = socket.create_connection(("127.0.0.1", to))
            threading.Thread(target=self._forward, args=(client, tpm, seconds), daemon=True).start()
            threading.Thread(target=self._forward, args=(tpm, client, 0), daemon=True).start()

    @staticmethod
    def _forward(source, sink, seconds):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(seconds)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def identity(self, **more):
        identity = self.machine.identity(**more)
        identity["tpm"]["tcti"] = self.tcti
        return identity

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server, _, _ in self.servers:
            server.close()


def run(*arguments, text=True, timeout=120, **more):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=text,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False, **more)


class Verifier(Process):
    """atls-verifier with the endorsements of some machines."""

    def __init__(self, directory, machines, required=PCRS, key=None, tls=None,
                 env=None, binaries=None, port=None, lifetime=None):
        directory = pathlib.Path(directory)
        (directory / "endorsements").mkdir(parents=True, exist_ok=True)
        for i, machine in enumerate(machines):
            for file in machine.state.glob("*.cbor"):
                shutil.copy(file, directory / f"endorsements/{i}-{file.name}")
        self.port = port or free_ports()
        self.key = key or directory / "result.pem"
        self.result_key = pathlib.Path(f"{self.key}.pub")
        options = ["--tls-certificate", tls[0], "--tls-key", tls[1]] if tls else []
        options += ["--lifetime", lifetime] if lifetime else []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        super().__init__([(binaries or BIN) / "atls-verifier", "--listen", f"127.0.0.1:{self.port}",
                          "--endorsements", directory / "endorsements", "--result-key", self.key,
                          "--required-pcrs", required, *options],
                         directory / "verifier.log", lambda: is_listening(self.port),
                         env={**os.environ, **(env or {})})

    def settings(self, **more):
        return {"url": self.url, "result_key": str(self.result_key), **more}


class HttpService:
    """An HTTP server of a test's own, in this process, until the with statement ends. With `tls`, an
    ssl.SSLContext, it speaks https."""

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 512

        def handle_error(self, *_):
            pass

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

    def __init__(self, handler, tls=None):
        self.server = self.Server(("127.0.0.1", 0), handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class FaultyVerifier(HttpService):
    """Stands before a real Verifier and answers submissions of Evidence as `answer` says: a function
    of the real answer (status, headers, body) that returns the one to give, or None to hang up.
    `discovery_of` is the Verifier whose discovery document it shows; both may change at any time, as may
    `before` and `after`, bytes that it sends around each answer, `stray`, which is called with the handler
    after it, and `discovery`, as `answer` for the discovery document. `submissions` are (media type,
    Evidence)."""

    def __init__(self, genuine, answer=lambda real: real, tls=None, new_session=lambda real: real):
        self.requests = []
        self.submissions = []
        self.connections = 0
        self.before = self.after = b""
        self.stray = None
        self.discovery = lambda real: real
        self.genuine = genuine
        self.discovery_of = genuine
        outer = self

        class Handler(self.Handler):
            def setup(self):
                outer.connections += 1
                super().setup()

            def forward(self):
                outer.requests.append((self.command, self.path, dict(self.headers)))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if "/session/" in self.path and body:
                    outer.submissions.append((self.headers["Content-Type"], body))
                behind = outer.discovery_of if "well-known" in self.path else outer.genuine
                real = http.client.HTTPConnection("127.0.0.1", behind.port, timeout=PATIENCE)
                headers = {k: v for k, v in self.headers.items() if k != "Host"}
                real.request(self.command, self.path, body, headers)
                reply = real.getresponse()
                answered = (reply.status, dict(reply.getheaders()), reply.read())
                real.close()
                if "/session/" in self.path:
                    answered = answer(answered)
                if "/newSession" in self.path:
                    answered = new_session(answered)
                if "well-known" in self.path:
                    answered = outer.discovery(answered)
                if answered is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, headers, content = answered
                try:
                    self.wfile.write(outer.before)
                    self.send_response(status)
                    for name in ("Content-Type", "Location", "Cache-Control"):
                        if name in headers:
                            self.send_header(name, headers[name])
                    self.send_header("Content-Length", str(headers.get("Claimed-Length", len(content))))
                    self.end_headers()
                    self.wfile.write(content + outer.after)
                    if outer.stray:
                        outer.stray(self)
                except OSError:
                    self.close_connection = True

            do_POST = do_GET = forward

        super().__init__(Handler, tls)


class ProvisioningService(HttpService):
    """Where endorsements are submitted: answers each request with the next of `answers`, in the end
    always with the last one. An answer is (status, headers, body)."""

    def __init__(self, answers, tls=None):
        self.requests = []
        outer = self

        class Handler(self.Handler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = answers[min(len(outer.requests), len(answers)) - 1]
                self.send_response(status)
                for name, value in {"Content-Length": len(content), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(content.encode())

            do_POST = do_GET = answer

        super().__init__(Handler, tls)

    @staticmethod
    def session(status, **more):
        return (200, {}, json.dumps({"status": status, "expiry": "2026-11-24T09:00:00Z", **more}))


class Atlsd(Process):
    """A running atlsd with JSON log."""

    def __init__(self, directory, config, name="atlsd", binaries=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{name}.json"
        config = {"threads": 1, "log": {"format": "json"}, "shutdown_timeout": "2s", **config}
        file.write_text(json.dumps(config, indent=1))
        ports = [int(t["listen"].rsplit(":", 1)[1]) for t in config["tunnels"]
                 if not t["listen"].startswith("unix:")]
        super().__init__([(binaries or BIN) / "atlsd", "--config", file], directory / f"{name}.log",
                         lambda: all(is_listening(p) for p in ports) and (ports or "->" in self.log()))
        # 1: cut off what did not end within shutdown_timeout. Anything else is a crash.
        self.expected_exit = (0, 1)

    def connections(self):
        """The access log: one dictionary per connection that has ended."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if "conn" in line]

    def last_connection(self, count=1):
        """The newest line, once there are `count`."""
        wait_until(f"connection {count} in {self.log_path}", lambda: len(self.connections()) >= count)
        return self.connections()[-1]


class Admin:
    """The admin endpoint of a running atlsd."""

    def __init__(self, path):
        self.path = path

    def ask(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection("atlsd", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(str(self.path))
        with contextlib.closing(connection):
            connection.request(method, target, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()

    def get(self, target):
        status, text = self.ask("GET", target)
        assert status == 200, text
        return text

    def status(self):
        return json.loads(self.get("/status"))

    def metric(self, name, **labels):
        """The sum of the samples of that name with these labels."""
        total = 0
        for line in self.get("/metrics").splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                has = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if labels.items() <= has.items():
                    total += float(found[3])
        return total


class Running:
    """A pair whose ingress has an admin endpoint and a configuration that can be changed."""

    def __init__(self, pair, directory):
        self.pair = pair
        self.atlsd = pair.ingress
        self.file = directory / "ingress.json"
        self.admin = Admin(directory / "admin.sock")

    @property
    def port(self):
        return self.pair.egress_port

    def change(self, change):
        config = json.loads(self.file.read_text())
        change(config)
        new = self.file.with_suffix(".tmp")
        new.write_text(json.dumps(config))
        new.rename(self.file)

    def reload(self, change=lambda config: None, expected=200):
        self.change(change)
        status, text = self.admin.ask("POST", "/reload")
        assert status == expected, text
        return text

    def hang_up(self):
        self.atlsd.popen.send_signal(signal.SIGHUP)


class Application:
    """A TCP server whose connections are handled by a function of the socket, each in a thread."""

    def __init__(self, handle, port=None):
        self.port = port or free_ports()
        self.socket = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.accepted = 0
        self.handle = handle
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            self.handle(connection)

    def stop(self):
        """Close alone would leave it listening until its thread, which waits for a connection, has one more."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def read_all(connection):
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def echo(connection):
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def connect(port, timeout=PATIENCE):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def ask(port, question=b"hello", timeout=PATIENCE):
    """What an echoing application answers; nothing if the connection is refused."""
    try:
        with connect(port, timeout) as s:
            s.sendall(question)
            s.shutdown(socket.SHUT_WR)
            return read_all(s)
    except OSError as e:
        if isinstance(e, TimeoutError):
            raise
        return b""


PKI_ONLY = {"unsafe_unauthenticated": True}


def plain_server(directory, site, application, port, **more):
    """An ingress without attestation: cheap handshakes, everything else is real."""
    certificate, key = site.pki.issue(f"plain-{port}")
    return {"identity": {"attester": "none", "certificate": str(certificate), "key": str(key)},
            "admin": {"listen": f"unix:{directory}/admin.sock"}, "threads": 2,
            "reload": {"watch": False},
            "tunnels": [{"name": "t", "role": "ingress", "listen": f"127.0.0.1:{port}",
                         "target": f"127.0.0.1:{application.port}", "peer": PKI_ONLY}], **more}


def plain_client(port, target):
    return {"admin": {"enabled": False}, "tunnels": [
        {"name": "t", "role": "egress", "listen": f"127.0.0.1:{port}", "target": f"127.0.0.1:{target}",
         "peer": PKI_ONLY}]}


class Pki:
    """A certificate authority and what it signs."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.ca = self.directory / "ca.pem"
        self.ca_key = self.directory / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-subj", "/CN=test CA", "-days", "30", "-keyout", self.ca_key,
                      "-out", self.ca)

    @staticmethod
    def _openssl(*arguments, env=None, ago=0):
        """`ago`: by a clock that is so many seconds late."""
        clock = ["faketime", "-f", f"-{ago}s"] if ago else []
        done = run(*clock, "openssl", *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return done

    def issue(self, name, alternative=None, lives=None):
        """(certificate, key) files for a DNS name or another subject alternative name; "" for none.
        `lives`: seconds until it expires, 30 days if not given."""
        key = self.directory / f"{name}.key"
        request = self.directory / f"{name}.csr"
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        return self._sign(name, request, alternative, lives), key

    def revoke(self, *certificates, age=0):
        """A list of all that were ever revoked, current for an hour from `age` seconds ago."""
        settings = self.directory / "ca.cnf"
        settings.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.directory}/index.txt\ndefault_md=sha256\n")
        (self.directory / "index.txt").touch()
        ca = ["ca", "-config", settings, "-cert", self.ca, "-keyfile", self.ca_key]
        for certificate in certificates:
            self._openssl(*ca, "-revoke", certificate)
        out = self.directory / "crl.pem"
        self._openssl(*ca, "-gencrl", "-crlhours", "1", "-out", out.with_suffix(".new"), ago=age)
        out.with_suffix(".new").rename(out)
        return out

    def issue_for(self, machine, name):
        """A certificate for the key in a machine's TPM."""
        request = self.directory / f"{name}.csr"
        self._openssl("req", *PROVIDER, "-new", "-key", "atls:tik", "-subj", f"/CN={name}", "-out",
                      request, env=provider_environment(machine))
        return self._sign(name, request)

    def _sign(self, name, request, alternative=None, lives=None):
        certificate = self.directory / f"{name}.pem"
        extensions = self.directory / f"{name}.ext"
        names = f"DNS:{name}" if alternative is None else alternative
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        days = 1 if lives else 30
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-days",
                      days, "-extfile", extensions, "-out", certificate,
                      ago=86400 - lives if lives else 0)
        return certificate


PROVIDER = ["-provider-path", RELEASE / "lib", "-provider", "atls", "-provider", "default"]


def provider_environment(machine, verifier=None):
    env = {**os.environ, "ATLS_TCTI": machine.tcti, "ATLS_STATE": str(machine.state),
           "ATLS_PCRS": machine.pcrs, "TSS2_LOG": "all+NONE"}
    env.pop("LD_PRELOAD", None)
    if verifier:
        env |= {"ATLS_VERIFIER": verifier.url, "ATLS_RESULT_KEY": str(verifier.result_key)}
    return env


def open_descriptors(process):
    return len(os.listdir(f"/proc/{process.popen.pid}/fd"))


def resident_kib(process, kind="VmRSS"):
    """Of memory in RAM: all, or a kind of it (RssAnon: without the pages of programs and libraries)."""
    return int(re.search(rf"{kind}:\s+(\d+)", pathlib.Path(f"/proc/{process.popen.pid}/status").read_text())[1])


class Load:
    """Connections that come and go, and one that stays; counts what goes wrong."""

    def __init__(self, port, threads=4):
        self.port = port
        self.stopping = threading.Event()
        self.done = 0
        self.lost = []
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stopping.is_set():
            try:
                with connect(self.port) as s:
                    s.sendall(b"question")
                    s.shutdown(socket.SHUT_WR)
                    answer = read_all(s)
                if answer != b"question":
                    self.lost.append(answer)
            except OSError as e:
                self.lost.append(e)
            self.done += 1

    def __enter__(self):
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for one in self.threads:
            one.join()
