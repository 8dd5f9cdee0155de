"""Evidence reports: Markdown, self-contained HTML, JSON, CSV and BibTeX. No model is asked.

What is printed as a paper is a `Paper` that a source gave; everything else is text, and is shown as text.
"""

from claims.report.render import Format, media_type, render

__all__ = ["Format", "media_type", "render"]
