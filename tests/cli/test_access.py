"""`pea tokens`, `pea audit` and what the command line shows a service."""

import json
import ssl

import pytest
from click.testing import CliRunner

from pea.cli import audit, tokens
from pea.cli.credentials import credentials
from pea.config import AuditSettings
from pea.errors import ConfigError
from pea.service.access.audit import Entry, audit_files
from pea.service.access.audit_log import AuditLog
from pea.service.access.token_file import read_tokens
from pea.service.access.tokens import recognise

AT = "2026-05-12T07:30:00.000Z"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command on a state folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("PEA_CONFIG", "PEA_STATE"):
        monkeypatch.delenv(name, raising=False)

    def running(command, *arguments):
        return CliRunner().invoke(command, [*arguments, "--state", str(tmp_path / "state")], catch_exceptions=False)

    return running


def _add(run, *more):
    done = run(tokens.command, "add", "--name", "me", "--scope", "read", *more)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_a_token_is_printed_once_and_alone(run, tmp_path):
    """What is printed works, can be piped, and is in no list afterwards."""
    text = _add(run, "--expires", "90d", "--rate", "5")
    kept = read_tokens(tmp_path / "state" / "tokens.json")
    token = recognise(text, kept)
    assert token is not None
    assert (token.name, token.scopes, token.per_second) == ("me", ("read",), 5.0)
    assert (token.expires - token.created).days == 90
    for more in ([], ["--json"]):
        listed = run(tokens.command, "list", *more)
        assert token.id in listed.stdout
        assert text.split("_", 2)[2] not in listed.stdout
        assert token.sha256 not in listed.stdout


def test_a_rotated_token_works_a_little_longer(run, tmp_path):
    """The new one is like the old one; the old one has an hour, for the change."""
    old = _add(run)
    number = old.split("_")[1]
    done = run(tokens.command, "rotate", number, "--keep", "1h", "--json")
    made = json.loads(done.stdout)
    kept = read_tokens(tmp_path / "state" / "tokens.json")
    assert made["scopes"] == ["read"]
    assert recognise(made["token"], kept).expires is None
    left = kept[number].expires - recognise(made["token"], kept).created
    assert left.total_seconds() == 3_600


def test_a_revoked_token_is_gone(run, tmp_path):
    """By its id, or by the token itself, which is what one has at hand; one that is not there is an error."""
    first, second = _add(run), _add(run)
    assert run(tokens.command, "revoke", first.split("_")[1], second).exit_code == 0
    assert read_tokens(tmp_path / "state" / "tokens.json") == {}
    missing = run(tokens.command, "revoke", second)
    assert missing.exit_code == 2
    assert second.split("_", 2)[2] not in missing.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "--name", "me"],
        ["add", "--name", "me", "--scope", "root"],
        ["add", "--name", "\x1b", "--scope", "read"],
        ["add", "--name", "me", "--scope", "read", "--expires", "soon"],
        ["add", "--name", "me", "--scope", "read", "--expires", "-1d"],
        ["add", "--name", "me", "--scope", "read", "--rate", "0"],
        ["rotate", "000000000000"],
    ],
)
def test_wrong_use_is_told(run, arguments):
    """Exit code 2, words instead of a traceback."""
    done = run(tokens.command, *arguments)
    assert done.exit_code == 2
    assert "Error" in done.stderr


def _log(tmp_path):
    folder = tmp_path / "state" / "audit"
    log = AuditLog(folder, AuditSettings(), lambda: AT)
    log.open()
    log.note(Entry(event="request", at=AT, name="me", token="abc", method="POST", path="/v1/tasks", status=202))
    log.note(Entry(event="request", at=AT, name="[red]you", method="DELETE", path="/v1/tasks/1", status=403))
    log.close()
    return folder


def test_the_audit_log_is_listed_and_verified(run, tmp_path):
    """Who did what; the chain is intact, and the last hash can be asked for later."""
    _log(tmp_path)
    listed = run(audit.command, "list")
    assert "POST /v1/tasks" in listed.stdout
    assert "[red]you" in listed.stdout
    assert len(json.loads(run(audit.command, "list", "--token", "abc", "--json").stdout)) == 1
    done = run(audit.command, "verify", "--json")
    verdict = json.loads(done.stdout)
    assert (done.exit_code, verdict["intact"], verdict["records"]) == (0, True, 4)
    assert run(audit.command, "verify", "--expect", verdict["head"]["hash"]).exit_code == 0
    assert run(audit.command, "verify", "--expect", "f" * 64).exit_code == 1


@pytest.mark.parametrize(
    ("since", "count"),
    [("2026-05-12T07:30Z", 2), ("2026-05-12T09:30+02:00", 2), ("2026-05-12", 2), ("2026-05-12T07:30:01", 0)],
)
def test_the_log_since_a_time(run, tmp_path, since, count):
    """Times of any zone, to the millisecond; what is no time is wrong use."""
    _log(tmp_path)
    found = json.loads(run(audit.command, "list", "--since", since, "--json").stdout)
    assert sum(one["event"] == "request" for one in found) == count
    assert run(audit.command, "list", "--since", "yesterday").exit_code == 2


def test_a_changed_log_is_told_with_its_place(run, tmp_path):
    """File, line and what is wrong; exit code 1, of the list too."""
    path = audit_files(_log(tmp_path))[0]
    path.write_bytes(path.read_bytes().replace(b'"status":403', b'"status":200'))
    done = run(audit.command, "verify")
    assert done.exit_code == 1
    assert f"{path.name}, line 3" in done.stdout
    assert run(audit.command, "list").exit_code == 1


def test_credentials_come_from_the_environment(tmp_path):
    """PEA_TOKEN, else a file that only its owner may read."""
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("pea_x\n")
    assert credentials({}).headers == {}
    assert credentials({"PEA_TOKEN": "a"}).headers == {"Authorization": "Bearer a"}
    assert credentials({"PEA_TOKEN_FILE": str(file)}).headers == {"Authorization": "Bearer pea_x"}
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        credentials({"PEA_TOKEN_FILE": str(file)})


@pytest.mark.parametrize(
    "environ",
    [{"PEA_TOKEN": "a b"}, {"PEA_TOKEN": "a\nb"}, {"PEA_TOKEN": "é"}, {"PEA_TOKEN_FILE": "/nope"}, {"PEA_CA": "/nope"}],
)
def test_credentials_that_cannot_be_sent_are_refused(environ):
    """Before anything is sent, with the variable's name."""
    with pytest.raises(ConfigError) as raised:
        credentials(environ)
    assert "PEA_" in raised.value.where


def test_authorities_of_ones_own(tmp_path):
    """PEA_CA makes a context that trusts it."""
    from tests.service.access.test_tls import make

    verify = credentials({"PEA_CA": str(make(tmp_path, "own"))}).verify
    assert isinstance(verify, ssl.SSLContext)
    assert verify.verify_mode is ssl.CERT_REQUIRED
