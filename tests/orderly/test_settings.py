"""Settings, where they come from, and what is said of bad ones."""

from datetime import timedelta
from pathlib import Path
from traceback import format_exception

import pytest

from orderly.reference import rows_of, settings_page
from orderly.settings import BadSettings, Settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from nothing: what the tests themselves run under does not count."""
    import os

    for name in list(os.environ):
        if name.startswith("ORDERLY_"):
            monkeypatch.delenv(name)


def test_the_environment_comes_before_the_file_and_options_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "orderly.toml"
    file.write_text('port = 8001\nhost = "::1"\nqueue_limit = 7\n[order]\nreturn_window = "P14D"\n')
    monkeypatch.setenv("ORDERLY_SETTINGS_FILE", str(file))
    monkeypatch.setenv("ORDERLY_PORT", "8002")
    monkeypatch.setenv("ORDERLY_HOST", "0.0.0.0")
    settings = Settings.load(host="127.0.0.2", port=None)
    assert (settings.host, settings.port, settings.queue_limit) == ("127.0.0.2", 8002, 7)
    assert settings.order.return_window == timedelta(days=14)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ORDERLY_DATABSE_URL", "x", "there is no setting ORDERLY_DATABSE_URL; did you mean ORDERLY_DATABASE_URL?"),
        ("ORDERLY_ZZZ", "x", "there is no setting ORDERLY_ZZZ; docs/settings.md lists them all"),
        (
            "ORDERLY_ORDER__RETRUN_WINDOW",
            "P1D",
            "there is no setting order.retrun_window; did you mean order.return_win",
        ),
        ("ORDERLY_MIAL__HOST", "x", "there is no setting ORDERLY_MIAL__HOST"),
        ("ORDERLY_MAIL__HOTS", "x", "there is no setting mail.hots; did you mean mail.host?"),
        ("ORDERLY_SECRETS_DIR", "/no/such/place", "the secret '/no/such/place' can't be read (No such file"),
        ("ORDERLY_PORT", "eighty", "ORDERLY_PORT"),
        ("ORDERLY_PORT", "70000", "less than or equal to 65535"),
        ("ORDERLY_ORDER", "x", "ORDERLY_ORDER__NAME"),
        ("ORDERLY_SHUTDOWN_GRACE", "soon", "ORDERLY_SHUTDOWN_GRACE"),
        ("ORDERLY_SETTINGS_FILE", "/no/such/file", "'/no/such/file' can't be read (No such file or directory)"),
    ],
)
def test_bad_settings_are_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("port = ", "is not TOML"), ("prot = 1", "there is no setting prot; did you mean port?"), ('port = "x"', "port")],
)
def test_a_bad_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    file = tmp_path / "orderly.toml"
    file.write_text(text)
    monkeypatch.setenv("ORDERLY_SETTINGS_FILE", str(file))
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert said in str(caught.value)


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert (DOCS / "settings.md").read_text() == settings_page(), "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    assert [row.variable for row in rows_of(Settings()) if not row.meaning] == []


CHOSEN = {
    "ORDERLY_ORDER__APPROVAL_ABOVE": "50000",
    "ORDERLY_ORDER__REVIEW_ABOVE": "0",
    **{row.variable: row.default for row in rows_of(Settings()) if row.default},
}


@pytest.mark.parametrize("variable", CHOSEN)
def test_every_setting_can_be_set_by_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, CHOSEN[variable])
    assert [row.value for row in rows_of(Settings.load()) if row.variable == variable] == [CHOSEN[variable]]


def test_secrets_are_not_shown() -> None:
    settings = Settings(key_pepper="hunter2", database_url="postgresql://orderly:hunter2@db/orderly")
    assert not [row for row in rows_of(settings) if "hunter2" in row.value]


def test_a_shutdown_outlasts_the_longest_wait() -> None:
    assert Settings().longest_wait < Settings().shutdown_grace


def test_the_pepper_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(key_pepper_file=str(tmp_path / "keys" / "pepper"))
    made = settings.pepper()
    assert len(made) >= 32
    assert settings.pepper() == made
    assert (tmp_path / "keys" / "pepper").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def secrets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which each file holds one setting."""
    directory = tmp_path / "secrets"
    directory.mkdir()
    monkeypatch.setenv("ORDERLY_SECRETS_DIR", str(directory))
    return directory


@pytest.mark.parametrize("name", ["ORDERLY_MAIL__PASSWORD", "orderly_mail__password"])
def test_a_secret_of_a_group_is_read_from_a_file_of_its_name(secrets_dir: Path, name: str) -> None:
    (secrets_dir / name).write_text("hunter2\n")
    (secrets_dir / "ORDERLY_KEY_PEPPER").write_text("p3pp3r")
    settings = Settings.load()
    assert settings.mail.password.get_secret_value() == "hunter2"
    assert settings.key_pepper.get_secret_value() == "p3pp3r"


def test_a_secret_is_read_where_kubernetes_mounts_it(secrets_dir: Path) -> None:
    version = secrets_dir / "..2026_01_05"
    version.mkdir()
    (version / "ORDERLY_CARRIER__TOKEN").write_text("hunter2")
    (secrets_dir / "..data").symlink_to(version.name)
    (secrets_dir / "ORDERLY_CARRIER__TOKEN").symlink_to("..data/ORDERLY_CARRIER__TOKEN")
    assert Settings.load().carrier.token.get_secret_value() == "hunter2"


def test_the_environment_comes_before_files_of_secrets_and_those_before_the_settings_file(
    secrets_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "orderly.toml"
    file.write_text('[mail]\nuser = "file"\nhost = "file"\npassword = "file"\n')
    monkeypatch.setenv("ORDERLY_SETTINGS_FILE", str(file))
    (secrets_dir / "ORDERLY_MAIL__PASSWORD").write_text("secret")
    (secrets_dir / "ORDERLY_MAIL__HOST").write_text("secret")
    monkeypatch.setenv("ORDERLY_MAIL__PASSWORD", "environment")
    mail = Settings.load().mail
    assert (mail.password.get_secret_value(), mail.host, mail.user) == ("environment", "secret", "file")


def test_secrets_of_others_in_the_same_place_are_passed_over(secrets_dir: Path) -> None:
    (secrets_dir / "postgres_password").write_text("hunter2")
    (secrets_dir / "picture").write_bytes(b"\xff\xd8")
    assert Settings.load() == Settings()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ORDERLY_MIAL__PASSWORD", b"hunter2", "there is no setting ORDERLY_MIAL__PASSWORD"),
        ("orderly_mail__pasword", b"hunter2", "there is no setting mail.pasword; did you mean mail.password?"),
        ("ORDERLY_PORT", b"hunter2", "ORDERLY_PORT"),
        ("ORDERLY_MAIL", b"hunter2", "a group of settings is set one by one"),
        ("ORDERLY_CHAT__URL", b"hunter2", "ORDERLY_CHAT__URL (in the settings file: chat.url) a peer's address is"),
        ("ORDERLY_PAYMENTS__SECRET_KEY", b"hunter2", "is a key that begins with sk_"),
        ("ORDERLY_MAIL__PASSWORD", b"hunter2\xff", "ORDERLY_MAIL__PASSWORD' is not text"),
    ],
)
def test_a_bad_secret_is_named_and_not_shown(secrets_dir: Path, name: str, content: bytes, said: str) -> None:
    (secrets_dir / name).write_bytes(content)
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert said in str(caught.value)
    assert "hunter2" not in "".join(format_exception(caught.value))


def test_a_directory_is_no_secret(secrets_dir: Path) -> None:
    (secrets_dir / "ORDERLY_MAIL__PASSWORD").mkdir()
    with pytest.raises(BadSettings, match="can't be read"):
        Settings.load()
