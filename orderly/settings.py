"""Settings: from ``ORDERLY_…`` variables, from files of secrets, from a settings file, or the defaults here.

``ORDERLY_SECRETS_DIR`` names a directory in which each file holds one setting and is named like its variable, in
capital or small letters: as Docker and Kubernetes mount secrets. ``ORDERLY_SETTINGS_FILE`` names a TOML file.
"""

import difflib
import os
import secrets
import tomllib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from engine.destinations import DestinationLimits
from orderly import choices
from orderly.schedules import Jobs, Keeping, Recipients
from orderly.sources import AllowedEvents, Webhooks
from statemachines.activity import ActivityPolicy
from statemachines.approval import ApprovalPolicy
from statemachines.declaration import Policy
from statemachines.order import OrderPolicy
from statemachines.payment import PaymentPolicy
from statemachines.refund import RefundPolicy
from statemachines.reservation import ReservationPolicy
from statemachines.returns.model import ReturnPolicy
from statemachines.schedule import TimeZone
from statemachines.shipment import ShipmentPolicy
from statemachines.subscription import SubscriptionPolicy

PREFIX = "ORDERLY_"
SETTINGS_FILE = "ORDERLY_SETTINGS_FILE"
SECRETS_DIR = "ORDERLY_SECRETS_DIR"

_OTHER_VARIABLES = frozenset({SETTINGS_FILE, SECRETS_DIR, "ORDERLY_TEST_DATABASE_URL"})
"""Variables that begin like settings and are none."""


class BadSettings(Exception):
    """The settings can't be read or don't hold; the message says which, why, and what to do."""


class Settings(BaseSettings):
    """How this installation is set up. Each field is set by ``ORDERLY_<FIELD>`` or a line of the settings file."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERLY_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

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
    longest_wait: timedelta = Field(
        timedelta(seconds=20), description="longest `Prefer: wait` that is honoured; less than the grace of a shutdown"
    )
    shutdown_grace: timedelta = Field(timedelta(seconds=25), description="how long to finish what was begun")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line to log")
    log_format: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")
    destinations: dict[str, DestinationLimits] = Field(
        default={},
        description="limits of the calls to a gateway, as `ORDERLY_DESTINATIONS__PAYMENTS__CONCURRENCY=20`",
    )
    sandbox_slowness: timedelta = Field(timedelta(seconds=2), description="how long `tok_slow` takes")
    payments: choices.Payments = choices.Payments()
    mail: choices.Mail = choices.Mail()
    carrier: choices.Carrier = choices.Carrier()
    sms: choices.Sms = choices.Sms()
    chat: choices.Chat = choices.Chat()
    analytics: choices.Analytics = choices.Analytics()
    text: choices.Text = choices.Text()
    webhooks: Webhooks = Webhooks()
    webhooks_per_second: int = Field(500, ge=0, description="messages by webhook, per address; 0 for no limit")
    inbox: dict[str, AllowedEvents] = Field(
        default={},
        description="the events that other programs may ask for by rows in the table `inbox`, by the source that they "
        'name, as `ORDERLY_INBOX__LEGACY="order.fulfill order.complete"`',
    )
    timezone: TimeZone = Field("UTC", description="the shop's time zone, as `Europe/Berlin`: its days begin by it")
    report_recipients: Recipients = Field(
        default=(), description="who gets reports and warnings by mail; addresses with spaces between"
    )
    jobs: Jobs = Jobs()
    keep: Keeping = Keeping()
    order: OrderPolicy = Field(
        OrderPolicy(), description="the figures of orders, as `ORDERLY_ORDER__RETURN_WINDOW=P14D`"
    )
    payment: PaymentPolicy = Field(
        PaymentPolicy(), description="the figures of payments, as `ORDERLY_PAYMENT__HOLD_FOR=P7D`"
    )
    refund: RefundPolicy = Field(
        RefundPolicy(), description="the figures of refunds, as `ORDERLY_REFUND__APPROVAL_ABOVE=100000`"
    )
    shipment: ShipmentPolicy = Field(
        ShipmentPolicy(), description="the figures of shipments, as `ORDERLY_SHIPMENT__ASK_CARRIER=true`"
    )
    approval: ApprovalPolicy = Field(
        ApprovalPolicy(), description="the figures of approvals, as `ORDERLY_APPROVAL__ESCALATE_AFTER=PT24H`"
    )
    subscription: SubscriptionPolicy = Field(
        SubscriptionPolicy(),
        description="the figures of subscriptions, as `ORDERLY_SUBSCRIPTION__SOURCE=https://shop.example`",
    )
    returns: ReturnPolicy = Field(
        ReturnPolicy(), description="the figures of returns, as `ORDERLY_RETURNS__SEND_WITHIN=P14D`"
    )
    reservation: ReservationPolicy = Field(
        ReservationPolicy(), description="the figures of reservations, as `ORDERLY_RESERVATION__REMIND_AFTER=P7D`"
    )
    activity: ActivityPolicy = Field(
        ActivityPolicy(), description="the figures of customers' activity, as `ORDERLY_ACTIVITY__REWARD_PRODUCTS=0`"
    )

    @field_validator("database_url")
    @classmethod
    def _names_a_database_we_know(cls, url: str) -> str:
        try:
            backend = make_url(url).get_backend_name()
        except ArgumentError:
            backend = None
        if backend not in ("sqlite", "postgresql", "postgres"):
            raise ValueError(
                "is no database URL that Orderly can use: say sqlite:///file or postgresql://user@host/name"
            )
        return url

    @model_validator(mode="after")
    def _real_gateways_have_what_they_need(self) -> Self:
        for group in choices.NEEDS:
            choice = getattr(self, group)
            if missing := [f"{PREFIX}{group}__{name}".upper() for name in choices.lacks(group, choice)]:
                chosen = f"{PREFIX}{group}__GATEWAY".upper()
                raise ValueError(f"{chosen}={choice.gateway} needs {' and '.join(missing)}")
        return self

    @classmethod
    def load(cls, **given: object) -> "Settings":
        """Read the settings, and refuse what would otherwise be passed over: unknown names, an unreadable file.

        Args:
            given: settings that come before the environment and the file; those that are None are left out.

        Raises:
            BadSettings: the message says what to do.
        """
        try:
            _check_file()
            _check_names(cls.model_fields, [*os.environ, *_secret_files()])
            return cls(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as error:
            raise BadSettings("\n".join(_explain(each["loc"], each["msg"]) for each in error.errors())) from None
        except SettingsError as error:
            raise BadSettings(f"{error}; a group of settings is set one by one, as {PREFIX}ORDER__NAME") from None

    @property
    def is_sqlite(self) -> bool:
        """Whether everything is kept in an embedded SQLite file."""
        return self.database_url.startswith("sqlite")

    @property
    def policies(self) -> dict[str, Policy]:
        """The figures that a shop may choose, by the name of the machine that they are of."""
        policies = {name: value for name, value in self if isinstance(value, Policy)}
        policies["return"] = policies.pop("returns")  # a field can't be named like a word of the language
        return {**policies, "subscription": self.subscription.with_notices_to(self.report_recipients)}

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
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment come before files of secrets, and those before the settings file."""
        sources = [init_settings, env_settings]
        if directory := os.environ.get(SECRETS_DIR):
            sources.append(_SecretFiles(file_secret_settings, directory, "ok"))
        if file := os.environ.get(SETTINGS_FILE):
            sources.append(TomlConfigSettingsSource(settings_cls, Path(file)))
        return tuple(sources)


def _check_file() -> None:
    """Make sure that the settings file, if one is named, is there and is TOML."""
    name = os.environ.get(SETTINGS_FILE)
    if name is None:
        return
    try:
        with Path(name).open("rb") as file:
            tomllib.load(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadSettings(
            f"the settings file '{name}' can't be read ({reason}): correct {SETTINGS_FILE} or unset it"
        ) from error
    except ValueError as error:
        raise BadSettings(f"the settings file '{name}' is not TOML: {error}") from error


def _secret_files() -> dict[str, str]:
    """Return what the files of secrets hold, by the variables that they stand for; other files are passed over."""
    directory = os.environ.get(SECRETS_DIR)
    if not directory:
        return {}
    held = {}
    try:
        for file in Path(directory).iterdir():
            if file.name.upper().startswith(PREFIX):
                held[file.name.upper()] = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadSettings(f"the secret '{error.filename}' can't be read ({reason}): see {SECRETS_DIR}") from error
    except ValueError:
        raise BadSettings(f"the secret '{file}' is not text: see {SECRETS_DIR}") from None
    return held


class _SecretFiles(NestedSecretsSettingsSource):
    """Files that hold one setting each."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:  # noqa: ARG003
        """Read only what is named like a setting: secrets of other programs may lie beside it, and be no text."""
        return _secret_files()


def _check_names(known: Iterable[str], variables: Iterable[str]) -> None:
    """Refuse variables that begin like a setting and are none: most likely a slip of the pen."""
    names = [f"{PREFIX}{name.upper()}" for name in known]
    for variable in sorted(variables):
        if (
            variable.startswith(PREFIX)
            and variable not in _OTHER_VARIABLES
            and variable.partition("__")[0] not in names
        ):
            raise BadSettings(f"there is no setting {variable}{_meant(variable, names)}")


def _explain(place: tuple[int | str, ...], reason: str) -> str:
    reason = reason.removeprefix("Value error, ")
    if not place:
        return reason
    name = ".".join(map(str, place))
    variable = PREFIX + "__".join(map(str, place)).upper()
    if reason.startswith("Extra inputs"):
        return f"there is no setting {name}{_meant(name, _names(Settings))}"
    return f"{variable} (in the settings file: {name}) {reason}"


def _names(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of all settings as the settings file has them, those of groups with a dot."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{each}" for each in _names(field.annotation))
        else:
            yield name


def _meant(name: str, known: Iterable[str]) -> str:
    plain = {each.removeprefix(PREFIX): each for each in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), plain, 1)
    return f"; did you mean {plain[close[0]]}?" if close else "; docs/settings.md lists them all"
