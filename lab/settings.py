"""What can be set on the lab: environment `RETEST_HOME` and `RETEST_LAB_*`, files that `RETEST_LAB_*_FILE` name, or
arguments."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from claims.errors import InputError
from claims.experiment import Limits
from claims.secret_files import SecretFiles
from lab.errors import LabError

SHIPPED_LIMITS = {"small": Limits(time_s=14_400, memory_gib=32, gpus=1)}
"""What a run may use by profile, where it is not what `Limits` says."""


class LabSettings(BaseSettings):
    """Everything that the lab reads from outside, with its defaults."""

    model_config = SettingsConfigDict(
        env_prefix="RETEST_LAB_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    data_home: Path = Field(
        default_factory=lambda: user_data_path("retest", appauthor=False),
        validation_alias=AliasChoices("data_home", "RETEST_HOME"),
    )
    """The data folder; the lab keeps everything in its subfolder `lab`."""
    token: SecretStr | None = None
    """Bearer token. Without one, the lab makes one up, and serves on loopback only."""
    database_url: str | None = None
    """System database of the control plane: a SQLite file in the lab's folder when unset, else `postgresql://...`."""
    driver: Literal["local", "ray"] = "local"
    """What starts runs: processes of this machine, or jobs of a Ray cluster."""
    ray_address: str = "http://127.0.0.1:8265"
    """Address of the Ray cluster's job server."""
    cpu_slots: int | None = Field(default=None, ge=1, le=4096)
    """Cores that runs of this machine may use together; all when unset."""
    gpu_slots: int | None = Field(default=None, ge=0, le=64)
    """GPUs that runs of this machine may use; all when unset."""
    heartbeat_s: float = Field(default=10.0, gt=0.2, le=3600)
    """Seconds of silence after which a control worker counts as gone and its work is taken over."""
    poll_s: float = Field(default=0.5, ge=0.1, le=60)
    """Seconds between two looks at the queue and at a run."""
    niceness: int = Field(default=5, ge=0, le=19)
    """How far runs step back for other programs of this machine."""
    protocols: str = ""
    """Protocols of one's own, `module:object` separated by commas."""
    max_body_bytes: int = Field(default=262_144, ge=1024)
    """The largest request body that is read."""
    nli_model: str | None = Field(
        default=None, validation_alias=AliasChoices("nli_model", "RETEST_LAB_NLI_MODEL", "RETEST_NLI_MODEL")
    )
    """Hub id (`id` or `id@revision`) or folder of the sequence-classification model served to the nli judge."""
    dense_model: str | None = Field(
        default=None, validation_alias=AliasChoices("dense_model", "RETEST_LAB_DENSE_MODEL", "RETEST_DENSE_MODEL")
    )
    """Hub id (`id` or `id@revision`) or folder of the sentence encoder that puts what a search found in order."""
    small_model: str | None = None
    """Model of profile `small` where an experiment names none: `id@revision` of a hub, a folder or a `.gguf` file."""
    proxy_model: str | None = None
    """A smaller one with the same tokenizer: what `proxy-tuning` steers the other with at profile `small`."""
    limits: Annotated[dict[str, Limits], NoDecode] = Field(default_factory=dict)
    """What a run may use by profile, as JSON, where nobody says otherwise; over what is shipped."""
    keep_work: bool = False
    """Keep what a run left in its working folder (checkpoints); only its result is kept otherwise."""

    @field_validator("data_home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("limits", mode="before")
    @classmethod
    def _json(cls, given: object) -> object:
        return json.loads(given) if isinstance(given, str) else given

    @field_validator("token")
    @classmethod
    def _said(cls, token: SecretStr | None) -> SecretStr | None:
        # An empty token would let everybody in who sends an empty one.
        return token if token is not None and token.get_secret_value().strip() else None

    @property
    def home(self) -> Path:
        """The lab's own folder."""
        return self.data_home / "lab"

    @classmethod
    def load(cls) -> "LabSettings":
        """Read the environment. Raises LabError that names the setting and what is wrong with it."""
        try:
            return cls()
        except ValidationError as exc:
            first = exc.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            shown = name if name.isupper() else f"RETEST_LAB_{name.upper()}"
            raise LabError(f"setting {shown}: {first['msg']}") from exc
        except InputError as exc:
            raise LabError(str(exc)) from exc

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `*_FILE`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretFiles(settings_cls)

    @property
    def control_url(self) -> str:
        """The system database's URL, filled in."""
        return self.database_url or f"sqlite:///{self.home / 'control.sqlite3'}"

    @property
    def cores(self) -> int:
        """CPU slots, filled in."""
        return self.cpu_slots or os.cpu_count() or 1

    @property
    def gpus(self) -> int:
        """GPU slots, filled in by counting the device files of NVIDIA's driver, those that this process may see."""
        if self.gpu_slots is not None:
            return self.gpu_slots
        there = sum(1 for device in Path("/dev").glob("nvidia*") if device.name.removeprefix("nvidia").isdigit())
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return there if visible is None else min(there, sum(bool(card.strip()) for card in visible.split(",")))

    @property
    def is_one_machine(self) -> bool:
        """Whether what this machine has is all that runs can have."""
        return self.driver == "local" and self.database_url is None

    def limits_of(self, profile: str) -> Limits:
        """What a run of this profile may use where nobody says otherwise; no more GPUs than this machine has slots.

        Where several machines share the lab, a GPU may be another's, and is asked for as the settings say.
        """
        named = self.limits.get(profile, Limits()).model_dump(exclude_unset=True)
        usual = SHIPPED_LIMITS.get(profile, Limits()).model_copy(update=named)
        return usual.model_copy(update={"gpus": min(usual.gpus, self.gpus)}) if self.is_one_machine else usual
