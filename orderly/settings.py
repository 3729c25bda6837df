"""Settings: from ``ORDERLY_…`` variables, from a file named by ``ORDERLY_SETTINGS_FILE``, or the defaults here."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from statemachines.order import OrderPolicy


class Settings(BaseSettings):
    """How this installation is set up. Each field is set by ``ORDERLY_<FIELD>`` or a line of the settings file."""

    model_config = SettingsConfigDict(env_prefix="ORDERLY_", env_nested_delimiter="__", extra="forbid")

    database_url: str = Field(
        "sqlite:///orderly.db", description="where everything is kept: `sqlite:///file` or `postgresql://…`"
    )
    database_pool: int = Field(10, ge=1, le=200, description="database connections of each process")
    sqlite_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL", description="SQLite's durability; with NORMAL the last commits may be lost when power fails"
    )
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on")
    workers: int = Field(1, ge=1, le=64, description="serving processes; more than one needs PostgreSQL")
    run_background_work: bool = Field(default=True, description="whether `serve` also runs effects and timers")
    poll_interval: timedelta = Field(
        timedelta(seconds=1), description="how often to look for work that other processes left"
    )
    queue_limit: int = Field(10_000, ge=1, description="events that may wait for a commit; more are refused with 503")
    batch_limit: int = Field(200, ge=1, le=1000, description="events that may share a commit")
    key_pepper: SecretStr = Field(
        SecretStr(""), description="secret that API keys are hashed with; by default one is made and kept in a file"
    )
    key_pepper_file: str = Field("orderly.pepper", description="where the secret is kept if none is given")
    require_idempotency_key: bool = Field(default=False, description="refuse a POST without an Idempotency-Key")
    requests_per_second: int = Field(100, ge=0, description="per API key; 0 for no limit")
    failed_logins_per_minute: int = Field(20, ge=0, description="per address; 0 for no limit")
    body_limit: int = Field(256 * 1024, ge=1024, description="largest request body in bytes")
    body_timeout: timedelta = Field(timedelta(seconds=10), description="how long a request body may take to arrive")
    longest_wait: timedelta = Field(timedelta(seconds=30), description="longest `Prefer: wait` that is honoured")
    shutdown_grace: timedelta = Field(timedelta(seconds=25), description="how long to finish what was begun")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line to log")
    log_format: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")
    sandbox_slowness: timedelta = Field(timedelta(seconds=2), description="how long `tok_slow` takes")
    order: OrderPolicy = Field(
        OrderPolicy(), description="the figures of orders, as `ORDERLY_ORDER__RETURN_WINDOW=P14D`"
    )

    def pepper(self) -> str:
        """Return the secret that API keys are hashed with; at first use one is made and kept in a file of its own."""
        if given := self.key_pepper.get_secret_value():
            return given
        file = Path(self.key_pepper_file)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(secrets.token_urlsafe(32))
        return file.read_text()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment come before the settings file."""
        file = os.environ.get("ORDERLY_SETTINGS_FILE")
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))
