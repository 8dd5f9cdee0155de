"""Slots and cursors: when the next request may go out, over all processes, and how far a harvest got."""

import sqlalchemy as sa

from claims.clock import Clock
from claims.store.engine import Door
from claims.store.rows import insert_new, upsert
from claims.tables import CursorRow, SlotRow, table

SLOTS = table(SlotRow)
CURSORS = table(CursorRow)

_LONGEST_WAIT_S = 86_400.0
"""A slot further away than a day was reserved under a clock that was wrong."""


class PaceShelf:
    """The pacing part of the store."""

    door: Door
    clock: Clock

    def reserve_slot(self, name: str, gap_s: float) -> float:
        """Reserve the next slot of a place, and give the seconds to wait until it.

        Slots of one name lie at least `gap_s` apart, whichever process or machine reserves them: one row is moved on
        in one statement. PostgreSQL's clock counts where there are several machines, ours on SQLite.
        """
        with self.door.writing(f"slot:{name}") as connection:
            now = self._slot_now(connection)
            insert_new(connection, SLOTS, [{"name": name, "next_at": now}])
            s = SLOTS.c
            free = sa.case((s.next_at < now, now), (s.next_at > now + _LONGEST_WAIT_S, now), else_=s.next_at)
            taken = connection.scalar(
                SLOTS.update().where(s.name == name).values(next_at=free + gap_s).returning(s.next_at)
            )
            assert taken is not None
            return max(0.0, float(taken) - gap_s - now)

    def hold_slots(self, name: str, seconds: float) -> None:
        """Give no slot of a place for so long from now; a later one than that stays where it is."""
        with self.door.writing(f"slot:{name}") as connection:
            now = self._slot_now(connection)
            insert_new(connection, SLOTS, [{"name": name, "next_at": now}])
            s, free_at = SLOTS.c, now + min(seconds, _LONGEST_WAIT_S)
            connection.execute(SLOTS.update().where(s.name == name, s.next_at < free_at).values(next_at=free_at))

    def _slot_now(self, connection: sa.Connection) -> float:
        if self.door.engine.dialect.name == "postgresql":
            return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
        return self.clock.now().timestamp()

    def get_cursor(self, name: str) -> str | None:
        """Give how far something got; None when it never began."""
        with self.door.reading() as connection:
            value: str | None = connection.scalar(sa.select(CURSORS.c.value).where(CURSORS.c.name == name))
            return value

    def set_cursor(self, name: str, value: str) -> None:
        """Remember how far something got."""
        with self.door.writing(f"cursor:{name}") as connection:
            upsert(connection, CURSORS, {"name": name, "value": value, "changed_at": self.clock.now()})
