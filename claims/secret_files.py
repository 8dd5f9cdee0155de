"""Settings from files: `RETEST_LAB_TOKEN_FILE=/run/secrets/lab_token` gives the setting that `RETEST_LAB_TOKEN` gives.

Containers and service units hand secrets over as files, where no list of processes and no crash report shows them. The
convention is that of Docker's official images. Used by the settings of the agent and of the lab.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from claims.errors import InputError

MAX_BYTES = 65_536
"""No secret is longer; a path that names something else by mistake is refused, not read into memory."""


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the files that environment variables `<prefix><field>_FILE` name. White space at the end is not part of it.

    Raises InputError, which never shows what is in a file, when one cannot be read, is empty, is no text, or when the
    variable without `_FILE` is set as well.
    """

    def __init__(self, settings: type[BaseSettings]) -> None:
        super().__init__(settings)
        self._prefix = str(settings.model_config.get("env_prefix", ""))

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give the content of the file for one field; None when no variable names one."""
        del field
        plain = f"{self._prefix}{field_name}".upper()
        path = os.environ.get(f"{plain}_FILE")
        if not path:
            return None, field_name, False
        if os.environ.get(plain):
            raise InputError(f"{plain} and {plain}_FILE are both set; unset one of them")
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            text = content.decode()
        except OSError as exc:
            raise InputError(f"{plain}_FILE={path}: cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise InputError(f"{plain}_FILE={path}: is not a text file") from exc
        if len(content) > MAX_BYTES or not text.strip():
            raise InputError(f"{plain}_FILE={path}: is {'too long' if text.strip() else 'empty'}")
        return text.rstrip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Give all fields that a file is named for."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found
