"""`retest refresh`, `due` and `care` as a person and a script meet them."""

import json
from pathlib import Path

import pytest

from claims.store import Store
from tests.cli.test_commands import retest
from tests.mail_server import MailServer
from tests.nights import Library, claim_about, paper_about
from tests.oai_server import OaiServer, refuse

pytestmark = pytest.mark.slow

NIGHT = "2024-12-31"
CLAIM = claim_about("curated")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one claim and three papers, refreshed once."""
    folder = tmp_path_factory.mktemp("home")
    with Store.open(f"sqlite:///{folder / 'retest.sqlite3'}") as store:
        store.put_claim(CLAIM)
        library = Library(store, folder, index="paper-index")
        library.put(*(paper_about("curated", "Neutral", n) for n in (1, 2, 3)))
    return folder


def test_a_night_prints_its_digest_and_a_second_one_prints_the_same(home: Path) -> None:
    first = retest(home, "refresh", "--no-harvest", "--no-lab", "--until", NIGHT, "--json")
    assert first.code == 0, first.err
    digest = first.json
    assert isinstance(digest, dict)
    assert [c["claim_id"] for c in digest["first"]] == [CLAIM.id]
    assert (digest["night"], digest["problems"], digest["cost"]["pairs_judged"]) == (NIGHT, [], 3)
    again = retest(home, "refresh", "--no-harvest", "--no-lab", "--until", NIGHT, "--json")
    assert again.json == digest
    out = home / "digest.html"
    assert retest(home, "refresh", "--no-harvest", "--until", NIGHT, "--format", "html", "--out", str(out)).code == 0
    assert CLAIM.text in out.read_text()


def test_what_is_due_and_why_can_be_asked_and_changed(home: Path) -> None:
    assert retest(home, "care", CLAIM.id, "--force").code == 0
    due = retest(home, "due", "--until", NIGHT, "--json").json
    assert isinstance(due, dict)
    assert [(d["claim_id"], "forced" in d["why"]) for d in due["due"]] == [(CLAIM.id, True)]
    assert retest(home, "care", CLAIM.id, "--pause", "--no-force").code == 0
    paused = retest(home, "due", "--until", NIGHT, "--json").json
    assert isinstance(paused, dict)
    assert (paused["due"], paused["paused"]) == ([], [CLAIM.id])
    assert retest(home, "care", CLAIM.id, "--resume", "--json").code == 0


def test_the_list_says_what_is_due_and_why_but_not_of_the_past(home: Path) -> None:
    assert retest(home, "care", CLAIM.id, "--force").code == 0
    listed = retest(home, "list", "--json").json
    assert isinstance(listed, list)
    assert "forced" in listed[0]["due"]
    assert "due: forced" in retest(home, "list").out
    assert retest(home, "care", CLAIM.id, "--pause", "--no-force").code == 0
    assert "paused" in retest(home, "list").out
    assert retest(home, "care", CLAIM.id, "--resume").code == 0
    past = retest(home, "list", "--as-of", "2999-01-01", "--json").json
    assert isinstance(past, list)
    assert past[0]["due"] is None


def test_explaining_names_the_papers_that_matched(home: Path) -> None:
    said = retest(home, "refresh", "--explain", CLAIM.id, "--until", NIGHT, "--json").json
    assert isinstance(said, dict)
    assert {m["paper_id"] for m in said["matches"]} == {paper_about("curated", "Neutral", n).id for n in (1, 2, 3)}
    assert said["reason"]


def test_a_digest_is_mailed_once_and_a_mail_server_that_refuses_it_stops_nothing(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'retest.sqlite3'}") as store:
        store.put_claim(CLAIM)
        Library(store, tmp_path, index="paper-index").put(paper_about("curated", "Neutral", 1))
    night = ("refresh", "--no-harvest", "--no-lab", "--until", NIGHT, "--json")
    with MailServer(login=("ada", "s3cret-word")) as server:
        settings = {
            "RETEST_MAIL_TO": '["ada@example.org"]',
            "RETEST_SMTP_HOST": "127.0.0.1",
            "RETEST_SMTP_PORT": str(server.port),
            "RETEST_SMTP_TLS": "none",
            "RETEST_SMTP_USER": "ada",
            "RETEST_SMTP_PASSWORD": "s3cret-word",
        }
        server.play("554 not today")
        refused = retest(tmp_path, *night, **settings)
        sent = retest(tmp_path, *night, **settings)
        again = retest(tmp_path, *night, **settings)
    assert (refused.code, sent.code, again.code) == (1, 0, 0)
    assert refused.json == sent.json == again.json
    assert "554 not today" in refused.err
    assert "s3cret-word" not in refused.err
    assert [got["Subject"] for got in server.got] == [f"retest {NIGHT}: 1 first verdict"]


def test_a_throttled_arxiv_ends_with_code_1_and_a_digest_that_says_so(home: Path) -> None:
    with OaiServer() as server:
        server.play(*[refuse(503, retry_after="9999")] * 5)
        done = retest(home, "refresh", "--no-lab", "--until", "2025-01-05", "--json", RETEST_OAI_URL=server.url)
    assert done.code == 1, done.err
    digest = json.loads(done.out)
    assert [p["where"] for p in digest["problems"]] == ["arXiv"]


def test_a_night_in_the_future_is_refused(home: Path) -> None:
    assert retest(home, "refresh", "--until", "2999-01-01").code == 2


def test_an_empty_home_could_not_look(tmp_path: Path) -> None:
    done = retest(tmp_path, "refresh", "--no-harvest", "--until", NIGHT, "--json")
    assert done.code == 3
    assert "holds no papers" in done.out
