"""No document makes the parser fail, and no line of any document is lost: shown over mutated and random documents."""

import re
from importlib.resources import files

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claims.document import decode, heading_of, read_blocks, split_heading
from claims.errors import UnreadableDocument
from claims.inquiry import Reading, Where, parse_inquiry, read_inquiry

EXAMPLE = (files("claims.library") / "example_inquiry.txt").read_text(encoding="utf-8")
LINES = EXAMPLE.split("\n")

STRANGE = st.sampled_from(
    [
        "Sources 6 notes",
        "Claims:",
        "Anchor papers:",
        "Your task:",
        "Research questions:",
        "Next inquiring lines",
        "You are a reader of papers.",
        "• ",
        "- (2024)",
        "* A claim without a date",
        "1. A claim of May 2023",
        "(a) Does it hold?",
        "(z) Never?",
        "• arXiv:2410.18890v9 (Oct 2024)",
        "• arXiv:2413.99999 (Dec 2024) — no such month",
        "hep-th/9901001",
        "https://arxiv.org/abs/2305.11206v1 and more",
        "(2025-13-40)",
        "In 1999 2024 1999-2024 (2024-1999).",
        "?",
        "…",
        "\u202eevil\u202c \u200bzero",
        "\ufeff",
        "a" * 5000,
        "word " * 1200 + "(2024)",
        "''' \"\"\" <script>alert(1)</script> {{ x }} %s $x$",
        "Flag what you cannot ground.",
        "The question remains open: *Is it so?*",
        "Question: Is it?",
        "Anchor papers: arXiv:2305.11206 (May 2023), 2410.18890",
        "Findings: curated sets suffice (2023)",
        "Task: see whether it holds",
        "> Anchor papers (verify; mind",
        "their dates):",
        "> quoted words (2024)",
    ]
)
ANY_LINE = st.one_of(STRANGE, st.sampled_from(LINES), st.text(max_size=120).map(lambda t: re.sub(r"[\n\r]", " ", t)))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The example with lines dropped, doubled, moved, cut and put in."""
    lines = list(LINES)
    for _ in range(draw(st.integers(0, 12))):
        at = draw(st.integers(0, len(lines)))
        match draw(st.sampled_from(["drop", "put", "cut", "join", "indent", "blank"])):
            case "drop" if at < len(lines):
                del lines[at]
            case "cut" if at < len(lines) and lines[at]:
                where = draw(st.integers(0, len(lines[at])))
                lines[at : at + 1] = [lines[at][:where], lines[at][where:]]
            case "join" if at + 1 < len(lines):
                lines[at : at + 2] = [lines[at] + " " + lines[at + 1]]
            case "indent" if at < len(lines):
                lines[at] = "   " + lines[at]
            case "blank":
                lines.insert(at, "")
            case _:
                lines.insert(at, draw(ANY_LINE))
    return "\n".join(lines)


DOCUMENTS = st.one_of(mutated(), st.lists(ANY_LINE, max_size=25).map("\n".join), st.text(max_size=400))
MANY = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

DATE_WORDS = frozenset(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct "
    "october nov "
    "november dec december circa about around approx approximately spring summer autumn fall winter early late since "
    "from until onward onwards ongoing present dated date published asserted claim arxiv preprint updated "
    "update revised "
    "https http www abs pdf html org format export doi and the".split()
)


def words(text: str) -> set[str]:
    """Words whose loss a reader would notice; dates and addresses are held as values, not as words."""
    return {w for w in re.findall(r"[^\W\d_]{3,}", text.lower()) if w not in DATE_WORDS}


def held(reading: Reading) -> set[str]:
    """Every word that the inquiry holds in a field other than its warnings."""
    inquiry = reading.inquiry
    texts = [inquiry.question or ""]
    texts += [c.text for c in inquiry.claims]
    texts += [t for n in inquiry.notes for t in (n.title, n.text)]
    texts += [p.text for p in inquiry.body] + [t.text for t in inquiry.tasks] + [q.text for q in inquiry.questions]
    for a in inquiry.anchors:
        texts += [a.stated_title or "", a.stated_topic or "", a.malformed_id or "", a.arxiv_id or ""]
    return words(" ".join(texts))


def is_heading(lines: list[str], number: int) -> bool:
    """Whether a line is a heading that we know, alone or with a neighbour that it was wrapped from."""
    bare = [re.sub(r"^(\s*>)+ ?", "", line).strip() for line in ["", *lines, ""]]
    around = (bare[number], f"{bare[number - 1]} {bare[number]}", f"{bare[number]} {bare[number + 1]}")
    return any(heading_of(text) is not None for text in around)


@MANY
@given(DOCUMENTS)
def test_any_text_gives_an_inquiry_or_our_own_error(text: str) -> None:
    try:
        inquiry = parse_inquiry(text)
    except UnreadableDocument:
        return
    assert len({c.id for c in inquiry.claims}) == len(inquiry.claims)
    assert type(inquiry).model_validate_json(inquiry.model_dump_json()) == inquiry


@MANY
@given(st.one_of(st.binary(max_size=400), mutated().map(lambda t: t.encode("utf-8", "surrogatepass"))), st.data())
def test_any_bytes_give_an_inquiry_or_our_own_error(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    noise = draw.draw(st.binary(max_size=8))
    try:
        parse_inquiry(data[:at] + noise + data[at:])
    except UnreadableDocument:
        return


@MANY
@given(DOCUMENTS)
def test_every_line_is_held_or_known_or_warned_of(text: str) -> None:
    try:
        plain = decode(text).text
        reading = read_inquiry(text)
    except UnreadableDocument:
        return
    kept = held(reading)
    warned = {w.line for w in reading.inquiry.warnings}
    for number, line in enumerate(plain.split("\n"), start=1):
        if not line.strip():
            assert number not in reading.where
            continue
        where = reading.where[number]
        if where is Where.HEADING:
            assert is_heading(plain.split("\n"), number)
        elif where is Where.WARNING:
            assert number in warned
        elif number not in warned:
            line = (split_heading(line.strip()) or (None, line))[1]
            assert words(line) <= kept, (number, where, line, words(line) - kept)


@MANY
@given(DOCUMENTS)
def test_every_line_stands_in_exactly_one_block(text: str) -> None:
    try:
        plain = decode(text).text
    except UnreadableDocument:
        return
    placed = [line.number for block in read_blocks(plain) for line in block.lines]
    assert placed == [n for n, line in enumerate(plain.split("\n"), start=1) if line.strip()]


@MANY
@given(DOCUMENTS)
def test_windows_line_ends_never_change_what_is_read(text: str) -> None:
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        expected = parse_inquiry(unix)
    except UnreadableDocument:
        return
    assert parse_inquiry(unix.replace("\n", "\r\n")) == expected
