"""Services whose certificates carry Evidence: quotes that the published test keys of tests/vectors sign, in the forms
of RA-TLS. Written from the formats' documents, sharing nothing with lib/."""
import contextlib
import datetime
import hashlib
import pathlib
import socket
import ssl
import struct
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from confidential_vm import VECTORS

# Of each kind: a quote, how much of it is signed, where its report data stands.
QUOTES = {"tdx": ("tdx/quote-v4-good.bin", 48 + 584, 48 + 520), "sgx": ("sgx/quote-v3-good.bin", 48 + 384, 48 + 320)}
TAGGED = "2.23.133.5.4.9"
# Gramine writes tag and length of the encoded identifier before it.
GRAMINE = "0.6.9.42.840.113741.1337.6"
OPEN_ENCLAVE = "1.3.6.1.4.1.311.105.1"


def quote_over(kind, report_data, changed=None):
    name, signed, at = QUOTES[kind]
    quote = bytearray((VECTORS / name).read_bytes())
    for place, content in (changed or {}).items():
        quote[place:place + len(content)] = content
    quote[at:at + 64] = report_data.ljust(64, b"\0")
    key = serialization.load_pem_private_key((VECTORS / "tdx/keys/attestation.key.pem").read_bytes(), None)
    r, s = utils.decode_dss_signature(key.sign(bytes(quote[:signed]), ec.ECDSA(hashes.SHA256())))
    quote[signed + 4:signed + 68] = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return bytes(quote)


def byte_string(content):
    return b"\x59" + struct.pack(">H", len(content)) + content


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def claims_about(key):
    return b"\xa1\x6bpubkey-hash" + byte_string(b"\x82\x01" + byte_string(hashlib.sha256(spki_of(key)).digest()))


def tagged(quote, claims):
    return b"\xd9\xea\x60\x82" + byte_string(quote) + byte_string(claims)


def report(quote):
    return struct.pack("<IIQ", 1, 2, len(quote)) + quote


def extension(kind, key, form="tagged", changed=None, claims_over=lambda claims: claims):
    """(identifier, content) of a service's extension about its key. `claims_over`: what its quote is made over."""
    sha256 = lambda content: hashlib.sha256(content).digest()
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = claims_about(key)
    return {
        "tagged": lambda: (TAGGED, tagged(quote_over(kind, sha256(claims_over(claims)), changed), claims)),
        "gramine": lambda: (GRAMINE, quote_over(kind, sha256(spki_of(key)), changed)),
        "open enclave": lambda: (OPEN_ENCLAVE, report(quote_over(kind, sha256(pem + b"\0"), changed))),
        "ego": lambda: (OPEN_ENCLAVE, report(quote_over(kind, sha256(spki_of(key)), changed))),
    }[form]()


def self_signed(kind, form="tagged", key=None, extension_of=None, **changed):
    """A certificate of `key`, with the extension about it or that of another certificate."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RATLS")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1)))
    if extension_of is not None:
        made = made.add_extension(extension_of.extensions[0].value, False)
    elif form != "none":
        identifier, content = extension(kind, key, form, **changed)
        made = made.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), content), False)
    return made.sign(key, hashes.SHA256())


class RaTlsServer:
    """A TLS server that knows nothing of attestation, and repeats what it is told; its certificate is self_signed()."""

    def __init__(self, directory, kind, form="tagged", **certificate):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        (directory / "key.pem").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (directory / "certificate.pem").write_bytes(
            self_signed(kind, form, key, **certificate).public_bytes(serialization.Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            # A client that refuses the certificate ends the handshake.
            with contextlib.suppress(OSError), raw, self.context.wrap_socket(raw, server_side=True) as peer:
                while said := peer.recv(1000):
                    peer.sendall(said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
