"""Backup and restore: everything comes back, on either database, or nothing does."""

import gzip
import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from claims.backup import backup, inspect, restore
from claims.clock import FrozenClock
from claims.errors import InputError, SchemaMismatch, StoreError, StoreFull
from claims.paper import Source
from claims.store import Store
from claims.verdict import VerdictKind
from tests.factories import (
    NOON,
    a_claim,
    a_grounding,
    a_paper,
    a_search,
    a_verdict,
    an_experiment,
    an_inquiry,
    experiment_evidence,
    paper_evidence,
)

INQUIRY = "inq-000000000001"


def fill(store: Store) -> None:
    store.put_inquiry(an_inquiry(), document="The text,\r\nas it was.")
    store.put_papers(a_paper(f"2401.{n:05d}", title="Ünï \u2028 \x00 cøde") for n in range(1, 1201))
    store.put_papers([a_paper("2401.00001", source=Source.LIBRARY, abstract=None, finding="Ours.")])
    store.put_papers([a_paper("2401.00002", withdrawn=True, updated_on=date(2026, 1, 1))])
    store.add_evidence([paper_evidence(store.paper("2401.00003")), experiment_evidence()])
    store.add_searches([a_search()])
    store.put_groundings(INQUIRY, [a_grounding()])
    store.put_experiment(an_experiment())
    store.note_no_experiment(a_claim().id, "--no-lab")
    store.record_verdict(a_verdict())
    store.clock = FrozenClock(NOON + timedelta(days=1))
    store.record_verdict(a_verdict(VerdictKind.CONTESTED, evidence_digest="sha256:1"))
    store.record_verdict(a_verdict(VerdictKind.CONTESTED, evidence_digest="sha256:1", as_of=date(2026, 8, 22)))
    store.set_cursor("harvest", "2026-08-21")
    store.reserve_slot("arxiv", 3.0)


def everything(store: Store) -> list[object]:
    return [
        list(store.iter_papers()),
        store.count_papers(),
        store.withdrawals(NOON),
        store.paper_text("2401.00001", a_paper("2401.00001", title="Ünï \u2028 \x00 cøde").text_digest),
        store.inquiry_dossier(INQUIRY, as_of=NOON + timedelta(days=9)).claims,
        store.inquiry_text(INQUIRY),
        store.overview(),
        store.overview(as_of=NOON),
        store.get_cursor("harvest"),
    ]


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_everything_comes_back_on_either_database(
    store: Store, to: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fill(store)
    file = tmp_path / "backups" / "night.gz"
    taken = backup(store, file)
    assert (taken.rows["papers"], taken.rows["verdicts"]) == (1200, 2)
    assert inspect(file) == taken
    url = request.getfixturevalue(f"empty_{'sqlite' if to == 'sqlite' else 'postgres'}_url")
    assert restore(url, file) == taken
    with Store.open(url, migrate=False, clock=store.clock) as restored:
        assert everything(restored) == everything(store)
        # What is counted up goes on after what was restored.
        restored.record_verdict(a_verdict(VerdictKind.RELAXED, evidence_digest="sha256:2"))
        assert [h.verdict.kind for h in restored.verdicts(a_claim().id)][-1] is VerdictKind.RELAXED
        again = tmp_path / "again.gz"
        assert backup(restored, again).n_rows == taken.n_rows + 1


def test_an_empty_store_can_be_backed_up_and_restored(empty_database_url: str, tmp_path: Path) -> None:
    with Store.open(empty_database_url) as store:
        assert backup(store, tmp_path / "b.gz").n_rows == 0
        assert restore(empty_database_url, tmp_path / "b.gz").n_rows == 0
        store.put_claim(a_claim())
        store.record_verdict(a_verdict())


def test_a_database_that_holds_something_is_not_restored_over(store: Store, database_url: str, tmp_path: Path) -> None:
    store.put_papers([a_paper()])
    backup(store, tmp_path / "b.gz")
    store.put_papers([a_paper("2401.00002")])
    with pytest.raises(StoreError, match="empty one"):
        restore(database_url, tmp_path / "b.gz")
    assert store.count_papers()[Source.MIRROR] == 2


def test_a_backup_that_was_cut_or_changed_is_refused_and_nothing_is_restored(
    sqlite_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with Store.open(sqlite_url) as store:
        store.put_papers([a_paper()])
        store.put_claim(a_claim())
        backup(store, tmp_path / "b.gz")
    whole = (tmp_path / "b.gz").read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    broken = {
        "cut": whole[: len(whole) // 2],
        "no end": gzip.compress(b"".join(lines[:-1])),
        "row lost": gzip.compress(b"".join(line for line in lines if b"Small curated" not in line)),
        "row changed": gzip.compress(b"".join(lines).replace(b"Small curated", b"Large curated")),
        "no backup": gzip.compress(b'{"hello": 1}\n'),
        "no json": gzip.compress(b"hello\n"),
        "no gzip": b"hello",
        "empty": b"",
    }
    for name, data in broken.items():
        file = tmp_path / f"{name}.gz"
        file.write_bytes(data)
        with pytest.raises(InputError):
            restore(empty_database_url, file)
    with pytest.raises(InputError):
        restore(empty_database_url, tmp_path / "absent.gz")
    assert restore(empty_database_url, tmp_path / "b.gz").rows["papers"] == 1


def test_a_backup_of_a_newer_schema_is_refused(sqlite_url: str, empty_sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        backup(store, tmp_path / "b.gz")
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "b.gz").read_bytes()).splitlines()]
    lines[0]["revision"] = "9999"
    text = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines[:-1])
    lines[-1]["sha256"] = hashlib.sha256(text).hexdigest()
    (tmp_path / "n.gz").write_bytes(gzip.compress(text + json.dumps(lines[-1]).encode() + b"\n"))
    with pytest.raises(SchemaMismatch, match="9999"):
        restore(empty_sqlite_url, tmp_path / "n.gz")


def test_a_backup_that_cannot_be_written_leaves_the_old_one(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        backup(store, tmp_path / "b.gz")
        before = (tmp_path / "b.gz").read_bytes()
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE verdicts")
        with pytest.raises(SchemaMismatch):
            backup(store, tmp_path / "b.gz")
        assert (tmp_path / "b.gz").read_bytes() == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["b.gz", "home"]
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreFull):
            backup(store, tmp_path / "file" / "b.gz")
