"""What can be set: environment `RETEST_*`, files that `RETEST_*_FILE` name, then `retest.toml` in the working folder,
then in the data folder."""

import ipaddress
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from claims.errors import InputError
from claims.secret_files import SecretFiles


def _default_home() -> Path:
    return user_data_path("retest", appauthor=False)


class Settings(BaseSettings):
    """All settings, with their defaults. README's table is checked against this class by a test."""

    model_config = SettingsConfigDict(env_prefix="RETEST_", extra="forbid", frozen=True)

    home: Path = Field(default_factory=_default_home)
    """Folder for the database, the mirror's index, checkpoints and the lab's runs."""
    database_url: str | None = None
    """SQLAlchemy URL of the store; a SQLite file in `home` when unset. `postgresql://` means psycopg 3."""
    database_password: SecretStr | None = None
    """Password of that URL's user, where the URL has none."""
    arxiv_url: str = "https://export.arxiv.org/api/query"
    """The arXiv API; point it at another server for tests."""
    oai_url: str = "https://oaipmh.arxiv.org/oai"
    """The OAI-PMH endpoint that `mirror harvest` reads."""
    categories: tuple[str, ...] = ("cs.CL", "cs.LG", "cs.AI")
    """arXiv categories that live searches are kept to; empty for all. The mirror holds what was put into it, of any."""
    http_timeout_s: float = Field(default=20.0, gt=0, le=600)
    """Seconds to wait for an answer of any server."""
    arxiv_gap_s: float = Field(default=3.0, ge=0, le=3600)
    """Seconds between two arXiv requests, over all processes; below 3 only for a server on loopback."""
    lab_url: str | None = None
    """The lab worker; when unset, a lab is started on loopback for the command's duration."""
    lab_token: SecretStr | None = None
    """Bearer token of the lab."""
    seeds: int = Field(default=8, ge=2, le=256)
    """Seeds that a confirmatory experiment starts with."""
    experiments: int = Field(default=1, ge=0, le=1000)
    """Experiments that one `retest run` may start by itself; the claims that gain most come first."""
    approve_minutes: float = Field(default=30.0, ge=0)
    """An experiment expected to take longer than this asks for approval first."""
    papers_per_claim: int = Field(default=120, ge=1, le=5000)
    """Papers that are weighed per claim and pass, best matches first."""
    llm: str | None = None
    """Chat model for `--judge llm` and for chat, as `provider:model`; unset means that none is asked."""
    llm_url: str | None = None
    """Base URL of an OpenAI-compatible server (vLLM, Ollama, llama.cpp)."""
    llm_key: SecretStr | None = None
    """Key of the model's provider; the provider's own variable (`OPENAI_API_KEY`, ...) when unset."""
    llm_usd_in: float | None = Field(default=None, ge=0)
    """Dollars for a million tokens that the model reads; 0 for a server of one's own. A budget needs it."""
    llm_usd_out: float | None = Field(default=None, ge=0)
    """Dollars for a million tokens that the model writes."""
    refresh_cron: str = "30 4 * * *"
    """When `retest service` refreshes: five fields, minute first. arXiv announces at 00:00 UTC."""
    refresh_tz: str = "UTC"
    """IANA time zone in which `refresh_cron` is read."""
    webhook: str | None = None
    """Web address that gets each digest as JSON by POST."""
    webhook_secret: SecretStr | None = None
    """Signs what is posted there (HMAC-SHA256)."""
    mail_to: tuple[str, ...] = ()
    """Addresses that get each digest by e-mail."""
    mail_from: str | None = None
    """The sender's address; the first of `mail_to` when unset."""
    smtp_host: str | None = None
    """Mail server that takes the digests; without one no mail is sent."""
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    """Its port: 587, 465 with `tls`, 25 with `none` when unset."""
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """`tls` from the first byte on, `starttls`, or `none`: without encryption no password is sent but to loopback."""
    smtp_ca: Path | None = None
    """Certificates (PEM) to trust, for a server of one's own; the system's when unset."""
    smtp_user: str | None = None
    """Name to log in with; none when unset."""
    smtp_password: SecretStr | None = None
    """Password of `smtp_user`."""
    log: Literal["plain", "json"] = "plain"
    """How log lines on stderr are written; `json`: one object a line, with ids."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Port on which `retest service` serves Prometheus metrics; needs the extra `metrics`. Unset: none."""
    metrics_host: str = "127.0.0.1"
    """Address of that."""
    otel_url: str | None = None
    """Where `retest refresh` and `service` send traces, as http://127.0.0.1:4318/v1/traces; needs the extra `otel`."""
    nli_model: str | None = None
    """Hub id or path of the sequence-classification model that the lab serves for `--judge nli`."""
    dense_model: str | None = None
    """Hub id or path of the sentence encoder that the lab serves to put what a search of the mirror found in order."""
    budget_usd: float = Field(default=1.0, ge=0)
    """Dollars that one command may spend on a language model; it stops with a partial result."""

    link_local: bool = False
    """Let a webhook's and a language model's URL lead to link-local and metadata addresses."""
    web_host: str = Field(default="127.0.0.1", min_length=1, max_length=255)
    """Address that `retest serve` listens on; anything but loopback needs `web_token` or `web_proxy_header`."""
    web_port: int = Field(default=8700, ge=0, le=65535)
    """Port of `retest serve`; 0 for any free one."""
    web_token: SecretStr | None = None
    """Secret that opens the web page (a form asks for it) and the API (bearer token); at least 16 characters."""
    web_proxy_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,64}$")
    """Header in which a proxy that signs people in (OIDC) names the user; believed from `web_proxies` alone."""
    web_proxies: tuple[str, ...] = ()
    """Addresses or networks of the proxies in front of the web page."""
    web_hosts: tuple[str, ...] = ()
    """Names by which the web page is called, beside loopback's; others are refused. Empty and not loopback: any."""
    web_rate: int = Field(default=600, ge=1, le=1_000_000)
    """Requests that one client may make in a minute; an action counts for ten."""
    web_upload_mib: float = Field(default=4.0, gt=0, le=1024)
    """Largest body of a request in MiB."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("arxiv_gap_s")
    @classmethod
    def _polite(cls, gap: float, info: Any) -> float:
        url = str(info.data.get("arxiv_url", ""))
        if gap < MIN_GAP_S and not url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise ValueError(f"arXiv asks for at least {MIN_GAP_S:.0f} s between requests, got {gap}")
        return gap

    @field_validator("mail_to", "mail_from")
    @classmethod
    def _addresses(cls, given: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for text in (given,) if isinstance(given, str) else given or ():
            if not _ADDRESS.fullmatch(text):
                raise ValueError(f"not an e-mail address: {text[:80]!r}")
        return given

    @field_validator("web_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"a token has at least {MIN_TOKEN} characters; `openssl rand -hex 24` makes one")
        return token

    @field_validator("web_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for text in proxies:
            ipaddress.ip_network(text, strict=False)
        return proxies

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL, filled in."""
        if self.database_url:
            url = self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
            if self.database_password is None:
                return url
            password = quote(self.database_password.get_secret_value(), safe="")
            return _USER_ALONE.sub(lambda found: f"{found[1]}:{password}@", url, count=1)
        return f"sqlite:///{self.home / 'retest.sqlite3'}"

    @property
    def index_folder(self) -> Path:
        """The mirror's full-text index; a cache that can be rebuilt."""
        return self.home / "paper-index"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `*_FILE`, `./retest.toml`, `retest.toml` in the default home."""
        del dotenv_settings, file_secret_settings
        files = [Path("retest.toml"), _default_home() / "retest.toml"]
        return (
            init_settings,
            env_settings,
            SecretFiles(settings_cls),
            *(TomlConfigSettingsSource(settings_cls, file) for file in files if file.is_file()),
        )


SECRETS = (
    "lab_token",
    "web_token",
    "webhook_secret",
    "smtp_password",
    "database_url",
    "database_password",
    "llm_key",
)
"""Settings whose value is never shown."""

_USER_ALONE = re.compile(r"^([a-z0-9+]+://[^/@:]+)@")
"""The start of a URL that names a user and no password."""

_ADDRESS = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,255}")

MIN_TOKEN = 16
"""Characters of a token that nobody guesses."""

MIN_GAP_S = 3.0
"""https://info.arxiv.org/help/api/tou.html: no more than one request every three seconds."""


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises InputError that names the setting and what was got."""
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        got = first.get("input")
        shown = "" if name.split(".")[0] in SECRETS else f", got {str(got)[:80]!r}"
        raise InputError(f"setting RETEST_{name.upper()}: {first['msg']}{shown}") from exc
    except ValueError as exc:
        raise InputError(f"retest.toml cannot be read: {exc}") from exc
