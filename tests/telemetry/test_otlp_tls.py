"""Receivers behind TLS: the certificate variables are honoured, an unknown authority is refused."""

import datetime as dt
import ipaddress
import ssl
from concurrent import futures

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from pea.telemetry import names

x509 = pytest.importorskip("cryptography.x509", reason="certificates are made with cryptography (pea[assistant])")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a self-signed certificate for 127.0.0.1 and its key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
async def https(certificate):
    """An OTLP receiver over HTTPS: what it got, and its address."""
    got = []

    async def take(request):
        got.append(trace_service_pb2.ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield got, f"https://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1/traces"
    await runner.cleanup()


def _work(telemetry):
    with telemetry.tracer.span(f"{names.SPAN_TASK} a.b"):
        pass


@pytest.mark.parametrize("bundle", [False, True])
async def test_https_with_its_certificate(https, certificate, make_telemetry, monkeypatch, bundle):
    """OTEL_EXPORTER_OTLP_CERTIFICATE names the authority to trust, whatever bundle requests finds elsewhere."""
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().openssl_cafile)
    got, endpoint = https
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[0]),
    })  # fmt: skip
    _work(telemetry)
    assert await telemetry.flush()
    assert telemetry.status().exports[0].last_error == ""
    assert len(got) == 1


@pytest.mark.parametrize("path", ["", "/nowhere/cert.pem"])
async def test_https_without_it_is_refused(https, make_telemetry, path):
    """An authority that nobody vouches for, or a file that is not there: counted and told, never sent."""
    got, endpoint = https
    telemetry = make_telemetry({
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": path,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
    })  # fmt: skip
    _work(telemetry)
    await telemetry.flush()
    account = telemetry.status().exports[0]
    assert (account.failed, account.exported, got) == (1, 0, [])
    assert account.last_error


@pytest.mark.parametrize(("known", "arrives"), [(True, True), (False, False)])
async def test_grpc_over_tls(certificate, make_telemetry, known, arrives):
    """Secure gRPC verifies the receiver against the same variable."""
    import grpc

    got = []

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):
            got.append(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    pair = (certificate[1].read_bytes(), certificate[0].read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"https://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5" if known else "0.5",
    }
    telemetry = make_telemetry({**environ, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[0])} if known else environ)
    _work(telemetry)
    await telemetry.flush()
    assert bool(got) == arrives
    assert telemetry.status().exports[0].exported == int(arrives)
    server.stop(None).wait()
