"""Other machines and other sites' pages are kept out."""

import pytest

from pea.errors import ConfigError
from pea.service.guard import HEADERS, is_loopback, known_hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_may_be_bound(host):
    """Loopback needs no tokens."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "pea.example.org", "localhost.example.org"])
async def test_other_machines_need_tokens(serve, agents, host):
    """On any other address the service refuses to start and says why."""
    with pytest.raises(ConfigError, match="access tokens") as raised:
        async with serve(agents["echo"](), service__host=host):
            pass
    assert raised.value.where == "access.tokens"
    assert "pea tokens add" in raised.value.fix


@pytest.mark.parametrize(
    ("bound", "given", "known"),
    [
        ("0.0.0.0", "192.168.1.7", True),
        ("::", "[2001:db8::1]", True),
        ("0.0.0.0", "evil.example", False),
        ("0.0.0.0", "pea.example.org", True),
        ("pea.example.org", "pea.example.org", True),
        ("127.0.0.1", "192.168.1.7", False),
        ("", "", False),
    ],
)
def test_a_reachable_service_has_more_names(bound, given, known):
    """Bound to other machines any address will do, which nobody can point elsewhere, and the names that were set."""
    assert (given in known_hosts(bound, ["PEA.example.org"])) is known


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]", 200),
        ("[::1]:8080", 200),
        ("evil.example:8080", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:80:80", 421),
        ("[::1].evil", 421),
        ("", 421),
    ],
)
async def test_the_host_header_must_name_this_machine(site, host, status):
    """A page whose name was pointed at this machine (DNS rebinding) is refused, whichever port it names."""
    for path in ("/v1/agents", "/", "/healthz"):
        response, _ = await site.send("GET", path, headers={"Host": host})
        assert response.status == status


async def test_http_1_1_needs_a_host(site):
    """Without Host an HTTP/1.1 request is malformed; HTTP/1.0 has none."""
    for version, status in ((b"1.1", b"400"), (b"1.0", b"200")):
        answer = await site.raw(b"GET /healthz HTTP/" + version + b"\r\nConnection: close\r\n\r\n")
        assert answer.split()[1] == status


async def test_every_answer_tells_browsers_to_keep_out(site):
    """Answers, problems and streams carry the headers, and nothing allows another origin."""
    task = await site.task("echo.nothing")
    for path in ("/v1/agents", "/nope", "/metrics", task["links"]["events"]):
        response, _ = await site.send("GET", path, headers={"Origin": "https://evil.example"})
        for name, value in HEADERS.items():
            assert response.headers[name] == value
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


async def test_a_form_of_another_site_cannot_submit(site):
    """What a browser sends without asking first is not read; when it asks, it gets no permission."""
    data = {"capability": "echo.say"}
    response, _ = await site.send("POST", "/v1/tasks", data=data, headers={"Origin": "https://evil.example"})
    assert response.status == 403
    response, _ = await site.send("POST", "/v1/tasks", data=data)
    assert response.status == 415
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response, _ = await site.send("OPTIONS", "/v1/tasks", headers=asking)
    assert response.status == 405
    assert "Access-Control-Allow-Origin" not in response.headers
