"""Runs the public RO-Crate validator (`roc-validator`) without a network: `python crate_validator.py CRATE CONTEXT`.

By the interpreter that the validator is installed for, which need not be ours: its dependencies exclude ours. The
JSON-LD context of RO-Crate 1.1, which it would fetch, is CONTEXT, a copy on this machine. Prints one line an issue.
"""

import json
import sys
from pathlib import Path

from rocrate_validator import models, services
from rocrate_validator.utils import document_loader
from rocrate_validator.utils.http import HttpRequester

URL = "https://w3id.org/ro/crate/1.1/context"


class Answer:
    """What fetching the context would give."""

    status_code = 200
    ok = True
    url = URL
    headers = {"Content-Type": "application/ld+json"}
    links: dict[str, str] = {}

    def __init__(self, context: str) -> None:
        self.text = context
        self.content = context.encode()

    def json(self) -> object:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        pass


def main(crate: str, context: str) -> int:
    answer = Answer(Path(context).read_text(encoding="utf-8"))

    def get(self: object, url: str, *_: object, **__: object) -> Answer:
        if url != URL:
            raise RuntimeError(f"the validator asked for {url}")
        return answer

    HttpRequester.get = get
    document_loader._fetch_json_ld = lambda url: get(None, url).json()
    settings = services.ValidationSettings(
        rocrate_uri=crate, profile_identifier="process-run-crate", requirement_severity=models.Severity.REQUIRED
    )
    result = services.validate(settings)
    for issue in result.get_issues():
        print(issue.severity.name, issue.check.identifier, issue.message)
    return 0 if result.passed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
