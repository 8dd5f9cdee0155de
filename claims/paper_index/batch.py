"""Writing the index: additions and removals that become durable and visible together."""

from collections.abc import Iterable
from typing import Final

import tantivy

from claims.paper import Paper
from claims.paper_index.fields import document

COMMIT_EVERY: Final = 50_000
"""Papers between two commits of a long addition: what a killed import may have to index again."""


class IndexBatch:
    """A held writer."""

    def __init__(self, index: tantivy.Index, writer: tantivy.IndexWriter) -> None:
        self._index = index
        self._writer = writer
        index.reload()  # Another process may have committed while we waited for the writer.
        self._searcher = index.searcher()
        self._pending: set[str] = set()

    def add(self, papers: Iterable[Paper]) -> int:
        """Index papers, each replacing what was there under its id. Gives how many."""
        n = 0
        for paper in papers:
            if paper.id in self._pending or self._searcher.doc_freq("id", paper.id):
                self._writer.delete_documents_by_term("id", paper.id)
            self._writer.add_document(document(paper))
            self._pending.add(paper.id)
            n += 1
            if len(self._pending) >= COMMIT_EVERY:
                self.commit()
        return n

    def remove(self, ids: Iterable[str]) -> None:
        """Take papers out."""
        for paper_id in ids:
            self._writer.delete_documents_by_term("id", paper_id)

    def replace_all(self, papers: Iterable[Paper]) -> int:
        """Replace everything by `papers`, seen by readers only at the commit. Gives how many."""
        self._writer.delete_all_documents()
        n = 0
        for paper in papers:
            self._writer.add_document(document(paper))
            n += 1
        return n

    def commit(self) -> None:
        """Make what was done so far durable and visible."""
        self._writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()
        self._pending.clear()

    def finish(self) -> None:
        """Commit and let the writer go."""
        self.commit()
        self._writer.wait_merging_threads()

    def abandon(self) -> None:
        """Undo what was not committed and let the writer go."""
        self._writer.rollback()
        self._writer.wait_merging_threads()
