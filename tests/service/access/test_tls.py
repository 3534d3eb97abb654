"""HTTPS by configuration: certificates are renewed without a restart, and clients can be asked for theirs."""

import shutil
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from pea.config import Settings, TlsSettings
from pea.errors import ConfigError
from pea.service.access import tls
from pea.service.access.tls import Certificates, certificates


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make(folder: Path, name: str) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    _openssl(
        *("req", "-new", "-x509", "-key", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
    )
    return cert


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with three certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("one", "two", "client"):
        make(folder, name)
    both = (folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes()
    (folder / "client-both.pem").write_bytes(both)
    return folder


@pytest.fixture
def used(made, tmp_path) -> Path:
    """The files that the service uses, first those of ``one``."""
    _take(made, tmp_path, "one")
    return tmp_path


def _take(made: Path, used: Path, name: str) -> None:
    for end in ("pem", "key"):
        shutil.copy(made / f"{name}.{end}", used / f"cert.{end}")


def _settings(used: Path, **more: str) -> dict[str, str]:
    return {"cert": str(used / "cert.pem"), "key": str(used / "cert.key"), **more}


async def _get(site, made, name, client=None):
    trusted = ssl.create_default_context(cafile=made / f"{name}.pem")
    if client:
        trusted.load_cert_chain(made / f"{client}-both.pem")
    async with aiohttp.ClientSession() as session, session.get(f"{site.service.url}/healthz", ssl=trusted) as response:
        return response.status


def _look(site):
    site.service._certificates._looked = float("-inf")


async def test_a_renewed_certificate_is_used_at_once(serve, agents, made, used):
    """After the files have changed the next handshake shows the new certificate; one that is broken is not used."""
    async with serve(agents["echo"](), access__tls=_settings(used)) as site:
        assert site.service.url.startswith("https://")
        assert await _get(site, made, "one") == 200
        _take(made, used, "two")
        _look(site)
        assert await _get(site, made, "two") == 200
        with pytest.raises(aiohttp.ClientError):
            await _get(site, made, "one")
        (used / "cert.key").write_text("half a k")
        _look(site)
        assert await _get(site, made, "two") == 200


async def test_a_certificate_that_could_not_be_read_for_a_moment_is_used_later(serve, agents, made, used, monkeypatch):
    """The files are the same at the next handshake, and have not been read."""
    async with serve(agents["echo"](), access__tls=_settings(used)) as site:
        _take(made, used, "two")
        _look(site)
        with monkeypatch.context() as patched:
            patched.setattr(tls, "_context", _no_descriptor)
            site.service._certificates.look()
        _look(site)
        assert await _get(site, made, "two") == 200


def _no_descriptor(settings):
    raise ConfigError("cannot be used: Too many open files", where=settings.cert)


async def test_clients_show_their_certificates(serve, agents, made, used):
    """With client_ca nobody else gets past the handshake, and whom it trusts changes without a restart too."""
    shutil.copy(made / "client.pem", used / "ca.pem")
    tls = _settings(used, client_ca=str(used / "ca.pem"))
    async with serve(agents["echo"](), access__tls=tls) as site:
        assert await _get(site, made, "one", client="client") == 200
        with pytest.raises(aiohttp.ClientError):
            await _get(site, made, "one")
        shutil.copy(made / "two.pem", used / "ca.pem")
        _look(site)
        with pytest.raises(aiohttp.ClientError):
            await _get(site, made, "one", client="client")


async def test_the_logins_cookie_is_for_https_alone(serve, agents, keys, made, used):
    """Over TLS the cookie is Secure and bound to this host."""
    async with serve(agents["echo"](), access__tls=_settings(used), access__tokens=str(keys.path)) as site:
        trusted = ssl.create_default_context(cafile=made / "one.pem")
        login = {"token": keys.text["read"]}
        async with site.client.post("/v1/session", json=login, ssl=trusted) as response:
            cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-pea_session=")
        assert "Secure" in cookie.split("; ")


async def test_plain_http_gets_nothing(serve, agents, used):
    """What is not TLS is closed without an answer."""
    async with serve(agents["echo"](), access__tls=_settings(used)) as site:
        port = site.service.url.rpartition(":")[2]
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{port}/healthz")


@pytest.mark.parametrize("spoil", ["cert", "key", "mixed", "locked"])
def test_what_cannot_be_used_stops_the_start(made, used, spoil):
    """A missing file, a key of another certificate or one with a password is an error that names the setting."""
    if spoil == "mixed":
        shutil.copy(made / "two.key", used / "cert.key")
    elif spoil == "locked":
        _openssl("ec", "-in", str(made / "one.key"), "-aes128", "-passout", "pass:xyzw", "-out", str(used / "cert.key"))
    else:
        (used / f"cert.{ {'cert': 'pem', 'key': 'key'}[spoil] }").unlink()
    with pytest.raises(ConfigError) as raised:
        certificates(TlsSettings(**_settings(used)))
    assert raised.value.where == "access.tls.cert"


def test_a_key_alone_is_a_mistake():
    """Half a configuration must not mean plain HTTP."""
    with pytest.raises(ConfigError, match="no certificate"):
        certificates(TlsSettings(key="key.pem"))
    assert certificates(Settings().access.tls) is None


def test_old_protocols_are_off(used):
    """TLS 1.2 is the least."""
    assert Certificates(TlsSettings(**_settings(used))).context.minimum_version is ssl.TLSVersion.TLSv1_2
