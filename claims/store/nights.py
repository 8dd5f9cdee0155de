"""What the nightly refresh keeps: care of claims, the nights with their digests, leases, and what came in between."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from claims.clock import Clock
from claims.due import Care, PaperChange
from claims.evidence import JudgeName, Stance
from claims.store.claims import CLAIMS, require
from claims.store.engine import Door
from claims.store.evidence import EVIDENCE, EXPERIMENTS, NO_WORD, load_experiments
from claims.store.papers import PAPERS, WITHDRAWALS
from claims.store.rows import in_parts, insert_new, upsert
from claims.store.verdicts import VERDICTS
from claims.tables import CareRow, LeaseRow, NightRow, table

__all__ = ["Care", "HeldNight", "Marks", "NightShelf", "PaperChange", "Since"]

CARE = table(CareRow)
NIGHTS = table(NightRow)
LEASES = table(LeaseRow)

_MARKED = {"verdicts": VERDICTS, "evidence": EVIDENCE, "experiments": EXPERIMENTS, "withdrawals": WITHDRAWALS}
"""Tables that are only appended to: their highest number tells how far they were."""

Marks = dict[str, int]
"""Table to the highest number that it held."""


class HeldNight(NamedTuple):
    """One refresh as it is held."""

    night: date
    state: str
    """JSON"""
    digest: str | None
    """JSON; None until the night was over once"""
    begun_at: datetime
    finished_at: datetime | None


class Since(NamedTuple):
    """Ids of what was appended after some marks, oldest first."""

    claims_decided: list[str]
    """claims with a new verdict"""
    verdicts: dict[str, list[str]]
    """claim to the ids of its new verdicts"""
    stances: dict[str, list[str]]
    """claim to the ids of new evidence that takes a stand, experiments included"""
    n_judged: int
    """new stances on papers, neutral ones included"""
    n_unsure: int
    """of those, where the judge would not say"""
    n_not_judged: int
    """papers besides those that a judge could not judge"""
    withdrawn: dict[str, bool]
    """papers whose withdrawal we learned of (True) or saw taken back (False): the newest word"""
    experiments: list[str]
    """experiments with a new snapshot"""
    lab_seconds: float
    """that the runs of those experiments took since"""


class NightShelf:
    """The nightly part of the store."""

    door: Door
    clock: Clock

    def care(self, claim_ids: Sequence[str] | None = None) -> dict[str, Care]:
        """Give how claims are looked after, all or these; one that nobody touched is not in it."""
        query = sa.select(CARE)
        with self.door.reading() as connection:
            parts = [sa.true()] if claim_ids is None else [CARE.c.claim_id.in_(p) for p in in_parts(claim_ids)]
            rows = [row for part in parts for row in connection.execute(query.where(part))]
        return {row.claim_id: Care(**row._mapping) for row in rows}

    def take_care(
        self, claim_id: str, *, pinned: bool | None = None, paused: bool | None = None, forced: bool | None = None
    ) -> Care:
        """Change what a person asked for a claim (None: as it was), and give how it stands now. Raises NotHeld."""

        def change(held: Care) -> Care:
            return held._replace(
                pinned=held.pinned if pinned is None else pinned,
                paused=held.paused if paused is None else paused,
                forced=held.forced if forced is None else forced,
            )

        return self._change_care(claim_id, change)

    def claim_refreshed(
        self, claim_id: str, night: date, *, checked_to: datetime | None, seen_to: datetime | None, full: bool
    ) -> None:
        """Note that a night is done with a claim: the last thing it does, after all it found is stored."""
        self._change_care(
            claim_id,
            lambda held: held._replace(
                refreshed_on=night,
                full_on=night if full else held.full_on,
                checked_to=checked_to,
                seen_to=seen_to,
                forced=False if full else held.forced,
            ),
        )

    def _change_care(self, claim_id: str, change: Callable[[Care], Care]) -> Care:
        with self.door.writing(f"care:{claim_id}") as connection:
            require(connection, "claim", CLAIMS, {claim_id})
            row = connection.execute(sa.select(CARE).where(CARE.c.claim_id == claim_id)).one_or_none()
            care = change(Care(**row._mapping) if row is not None else Care(claim_id))
            upsert(connection, CARE, care._asdict())
            return care

    def paper_changes(self, since: datetime | None) -> list[PaperChange]:
        """Give the mirror's papers that came in or changed at or after a moment (None: all), without their texts."""
        p = PAPERS.c
        query = sa.select(p.id, p.changed_at, p.published_on, p.withdrawn).where(p.from_mirror)
        if since is not None:
            query = query.where(p.changed_at >= since)
        with self.door.reading() as connection:
            return [PaperChange(*row) for row in connection.execute(query.order_by(p.changed_at, p.id))]

    def complete_to(self) -> date | None:
        """Give the day to which the mirror may be taken to be complete (see `dense_to`); None when it is empty."""
        p = PAPERS.c
        query = sa.select(p.published_on, sa.func.count()).where(p.from_mirror).group_by(p.published_on)
        with self.door.reading() as connection:
            return dense_to({row[0]: row[1] for row in connection.execute(query)})

    def evidence_on(self, paper_ids: Iterable[str], *, standing: bool = False) -> dict[str, set[str]]:
        """Give the claims that hold a stance on any of these papers, with the papers; with `standing`, no neutral one.

        It may be one that another judge or a later text replaced.
        """
        kept = EVIDENCE.c.stance != Stance.NEUTRAL.value if standing else sa.true()
        found: dict[str, set[str]] = {}
        with self.door.reading() as connection:
            for part in in_parts(paper_ids):
                query = sa.select(EVIDENCE.c.claim_id, EVIDENCE.c.paper_id).where(EVIDENCE.c.paper_id.in_(part), kept)
                for row in connection.execute(query.distinct()):
                    found.setdefault(row.claim_id, set()).add(row.paper_id)
        return found

    def marks(self) -> Marks:
        """Tell how far the appended tables are."""
        with self.door.reading() as connection:
            return {
                name: int(connection.scalar(sa.select(sa.func.max(each.c.seq))) or 0) for name, each in _MARKED.items()
            }

    def appended_since(self, marks: Marks) -> Since:
        """Give what was appended after these marks."""
        with self.door.reading() as connection:

            def rows(name: str, *columns: str) -> Sequence[sa.Row[Any]]:
                each = _MARKED[name]
                query = sa.select(*(each.c[c] for c in columns)).where(each.c.seq > marks.get(name, 0))
                return connection.execute(query.order_by(each.c.seq)).all()

            verdicts: dict[str, list[str]] = {}
            for row in rows("verdicts", "claim_id", "id"):
                verdicts.setdefault(row.claim_id, []).append(row.id)
            stances: dict[str, list[str]] = {}
            n_judged = 0
            for row in rows("evidence", "claim_id", "id", "stance", "kind"):
                n_judged += row.kind == "paper"
                if row.stance != "neutral":
                    stances.setdefault(row.claim_id, []).append(row.id)
            abstained = sa.select(EVIDENCE.c.judge_name, NO_WORD.label("no_word"), sa.func.count().label("n")).where(
                EVIDENCE.c.seq > marks.get("evidence", 0), EVIDENCE.c.document.contains('"unsure":true')
            )
            n_unsure = n_not_judged = 0
            for judge, no_word, n in connection.execute(abstained.group_by("judge_name", "no_word")):
                if not no_word:
                    n_unsure += n
                    continue
                n_judged -= n
                # A person who has no word on a paper took one back.
                n_not_judged += n if judge != JudgeName.PERSON else 0
            withdrawn = {row.paper_id: row.withdrawn for row in rows("withdrawals", "paper_id", "withdrawn")}
            experiments = list(dict.fromkeys(row.id for row in rows("experiments", "id")))
            mark = marks.get("experiments", 0)
            lab_s = _lab_seconds(connection, experiments) - _lab_seconds(connection, experiments, mark)
        return Since(list(verdicts), verdicts, stances, n_judged, n_unsure, n_not_judged, withdrawn, experiments, lab_s)

    def begin_night(self, night: date, state: str) -> HeldNight:
        """Begin a refresh with this state, or give the one that was begun before for the same day."""
        with self.door.writing("nights") as connection:
            row = {"night": night, "state": state, "digest": None, "begun_at": self.clock.now(), "finished_at": None}
            insert_new(connection, NIGHTS, [row])
            return _night(connection.execute(sa.select(NIGHTS).where(NIGHTS.c.night == night)).one())

    def change_night(self, night: date, change: Callable[[str], str], *, digest: str | None = None) -> HeldNight:
        """Change a night's state in one transaction; with `digest` it is over. The night must have begun."""
        with self.door.writing("nights") as connection:
            held = _night(connection.execute(sa.select(NIGHTS).where(NIGHTS.c.night == night)).one())
            row: dict[str, Any] = {"state": change(held.state)}
            if digest is not None:
                row |= {"digest": digest, "finished_at": self.clock.now()}
            connection.execute(NIGHTS.update().where(NIGHTS.c.night == night).values(row))
            return held._replace(**row)

    def night(self, night: date) -> HeldNight | None:
        """Give a refresh; None when there was none for that day."""
        with self.door.reading() as connection:
            row = connection.execute(sa.select(NIGHTS).where(NIGHTS.c.night == night)).one_or_none()
            return None if row is None else _night(row)

    def nights(self, limit: int = 30, *, before: date | None = None) -> list[HeldNight]:
        """Give the finished refreshes by their day, newest first. before: only those of earlier days."""
        query = sa.select(NIGHTS).where(NIGHTS.c.finished_at.is_not(None))
        if before is not None:
            query = query.where(NIGHTS.c.night < before)
        with self.door.reading() as connection:
            return [_night(row) for row in connection.execute(query.order_by(NIGHTS.c.night.desc()).limit(limit))]

    def told_last(self, *, besides: date) -> HeldNight | None:
        """Give the refresh that was finished last, whatever its day, but one day's; None when there is none."""
        query = sa.select(NIGHTS).where(NIGHTS.c.finished_at.is_not(None), NIGHTS.c.night != besides)
        with self.door.reading() as connection:
            row = connection.execute(query.order_by(NIGHTS.c.finished_at.desc()).limit(1)).one_or_none()
            return None if row is None else _night(row)

    def take_leases(
        self, names: Sequence[str], holder: str, *, seconds: float, at_most: int, is_gone: Callable[[str], bool]
    ) -> list[str]:
        """Take up to `at_most` of these names, in their order, for some seconds, and give those that are ours now.

        A name is free when nobody holds it, its time is over, or `is_gone` says that its holder died; what this
        holder has already, it keeps for longer. Whoever takes, on whichever machine, one holder gets a name.
        """
        taken: list[str] = []
        with self.door.writing("leases") as connection:
            now = self._now(connection)
            for start in range(0, len(names), 500):
                part = names[start : start + 500]
                query = sa.select(LEASES).where(LEASES.c.name.in_(part))
                held = {row.name: row for row in connection.execute(query)}
                for name in dict.fromkeys(part):
                    row = held.get(name)
                    if row is None or row.holder == holder or row.until < now or is_gone(row.holder):
                        taken.append(name)
                    if len(taken) >= at_most:
                        break
                if len(taken) >= at_most:
                    break
            if taken:
                # Everybody waits for this lock, so that all rows are written at once.
                for some in in_parts(taken):
                    connection.execute(LEASES.delete().where(LEASES.c.name.in_(some)))
                rows = [{"name": name, "holder": holder, "until": now + seconds} for name in taken]
                connection.execute(LEASES.insert(), rows)
        return taken

    def keep_leases(self, holder: str, seconds: float) -> None:
        """Let this holder have what it has for some seconds from now."""
        with self.door.writing("leases") as connection:
            until = self._now(connection) + seconds
            connection.execute(LEASES.update().where(LEASES.c.holder == holder).values(until=until))

    def give_back_all(self, holder: str) -> None:
        """Free whatever this holder has."""
        with self.door.writing("leases") as connection:
            connection.execute(LEASES.delete().where(LEASES.c.holder == holder))

    def give_back(self, names: Sequence[str], holder: str) -> None:
        """Free what this holder has of these names."""
        with self.door.writing("leases") as connection:
            for part in in_parts(names):
                connection.execute(LEASES.delete().where(LEASES.c.name.in_(part), LEASES.c.holder == holder))

    def _now(self, connection: sa.Connection) -> float:
        if self.door.engine.dialect.name == "postgresql":
            return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
        return self.clock.now().timestamp()


def dense_to(counts: Mapping[date, int]) -> date | None:
    """Give the last day to which papers lie as densely as usual, from their number on each day; None without any.

    A few papers that were added behind the end of a snapshot do not move it. That day's week, it and the six days
    before, has a quarter of the papers of the busiest week, and two at least; where none has, it is the oldest day.
    """
    days = sorted(counts)
    weeks: dict[date, int] = {}
    for n, day in enumerate(days):
        weeks[day] = sum(counts[d] for d in days[max(0, n - 6) : n + 1] if (day - d).days < 7)
    enough = max(2, max(weeks.values(), default=0) / 4)
    return max((day for day, n in weeks.items() if n >= enough), default=min(days, default=None))


def _lab_seconds(connection: sa.Connection, ids: Sequence[str], mark: int | None = None) -> float:
    """Add up what the runs of experiments took, as they were last seen; with `mark`, up to that snapshot."""
    seen = sa.true() if mark is None else EXPERIMENTS.c.seq <= mark
    which = sa.and_(EXPERIMENTS.c.id.in_(ids), seen)
    return sum(run.seconds or 0.0 for view in load_experiments(connection, which, None) for run in view.runs)


def _night(row: sa.Row[Any]) -> HeldNight:
    return HeldNight(**row._mapping)
