"""Takes secrets out of what is written for operators: configured ones, by their value, wherever they turn up."""

import os
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from agent.settings import Settings

HIDDEN = "***"
SHORTEST = 4
"""Characters below which a value is a word like any other."""

_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|_KEY)$")
_IN_URL = re.compile(r"(?<=://)([^\s/:@]+):([^\s/@]+)@")


class Redactor:
    """Replaces secrets in texts. Passwords in URLs are replaced whether they are known or not."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {s for s in secrets if len(s) >= SHORTEST}
        known |= {quote(s, safe="") for s in known}
        # Longest first, so that no rest of one is left where another is its beginning.
        self._known = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))) if known else None

    def __call__(self, text: str) -> str:
        """Give the text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _IN_URL.sub(rf"\1:{HIDDEN}@", text)


def known_secrets(settings: Settings | None = None) -> set[str]:
    """Collect the secrets of the environment (by their names) and of the settings."""
    found = {value for name, value in os.environ.items() if _NAMES.search(name)}
    urls = [value for name, value in os.environ.items() if name.endswith("_URL")]
    if settings is not None:
        values = [getattr(settings, name) for name in type(settings).model_fields]
        found |= {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        urls.append(settings.store_url)
    for url in urls:
        try:
            password = urlsplit(url).password
        except ValueError:
            continue
        if password:
            found.add(password)
    return found
