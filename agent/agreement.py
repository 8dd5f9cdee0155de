"""Does what a citation states agree with the paper's record: title, authors, date, venue, version, topic.

Pure. Markup, case, accents and punctuation never count as a difference; words do. Each function gives the problem it
sees, or None. `serious` problems make it another paper or a citation that nobody should copy; the others are findings.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from claims.dates import Precision, StatedDate
from claims.grounding import Problem
from claims.paper import Paper, Source
from claims.ties import stem, telling_words

_LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th", "å": "a"}
_LATEX_LETTERS = dict(pair.split(":") for pair in "ss:ss o:o O:o l:l L:l ae:ae AE:ae oe:oe i:i j:j aa:a AA:a".split())
_LATEX_LETTER = re.compile(r"\\(ss|ae|AE|oe|aa|AA|o|O|l|L|i|j)(?![A-Za-z])\s*")
_ACCENT = re.compile(r"\\[`'^\"~=.]\s*|\\[uvHcdbkrt](?=\s*\{|\s)\s*")
_COMMAND = re.compile(r"\\(?:emph|text\w*|math\w*|bf|it|sc|tt|rm|em|mbox|url|href)\b\s*")
_ANOTHER_PAPER = 0.55
"""titles that agree less than this (ratio of matching characters) name two papers"""


def plain(text: str) -> str:
    """Give lower-case ASCII words with LaTeX, markup, accents and punctuation gone."""
    text = _LATEX_LETTER.sub(lambda m: _LATEX_LETTERS[m[1]], text)
    text = _COMMAND.sub(" ", _ACCENT.sub("", text)).replace("\\", " ")
    text = re.sub(r"<[^<>]{1,40}>", " ", text).replace("{", "").replace("}", "").replace("$", "")
    text = "".join(_LETTERS.get(c, c) for c in text.lower())
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", text))


def same_title(stated: str, actual: str) -> bool:
    """Tell whether two titles have the same words, or one is the other without its subtitle."""
    left, right = _joined(stated), _joined(actual)
    if not left or not right:
        return False
    return left == right or left in _heads(actual) or right in _heads(stated)


def _joined(text: str) -> str:
    return plain(text).replace(" ", "")


def _heads(title: str) -> set[str]:
    """What a title may be shortened to: the part before its subtitle, and that with its name (`LIMA`) alone "
    "left out."""
    heads = {_joined(title[: m.start()]) for m in re.finditer(r":\s|\s[-–—]+\s|\?\s|\s\(", title)}
    return {h for h in heads if h}


def leads_title(name: str, title: str) -> bool:
    """Tell whether a short name is the whole title or what stands before its first colon or dash."""
    return bool(_joined(name)) and (_joined(name) == _joined(title) or _joined(name) in _heads(title))


def has_parts(name: str, title: str) -> bool:
    """Tell whether a title without a name of its own has all parts of a joined one (`proxy-tuning`)."""
    parts = {stem(w) for w in plain(name).split()}
    own_name = re.match(r"\S+(?:\s\S+)?:\s", title) is not None
    return len(parts) >= 2 and not own_name and parts <= {stem(w) for w in plain(title).split()}


def introduces(name: str, paper: Paper) -> bool:
    """Tell whether the paper's abstract says that it introduces what is called `name`."""
    text, wanted = plain(paper.abstract or ""), plain(name)
    verb = r"(?:introduc|propos|present|develop|call|dub|term)\w*"
    return bool(wanted) and re.search(rf"\b{verb} (?:\w+ ){{0,6}}?{re.escape(wanted)}\b", text) is not None


def check_title(stated: str | None, paper: Paper) -> Problem | None:
    """Compare titles. A title that is wholly different is a problem of the id: it names another paper."""
    if not stated or not plain(stated) or same_title(stated, paper.title):
        return None
    if leads_title(stated, paper.title):
        return None
    alike = SequenceMatcher(None, _joined(stated)[:400], _joined(paper.title)[:400], autojunk=False).ratio()
    if alike < _ANOTHER_PAPER:
        message = f"{paper.id} is another paper: “{paper.title}”"
        return Problem(field="id", stated=stated, actual=paper.title, message=message)
    changed = sorted(set(plain(stated).split()) ^ set(plain(paper.title).split()))
    message = f"the title is “{paper.title}”; the words {', '.join(changed[:8]) or 'stand in another order'} differ"
    return Problem(field="title", stated=stated, actual=paper.title, message=message)


class _Person(NamedTuple):
    given: tuple[str, ...]
    family: tuple[str, ...]


_OTHERS = re.compile(r"^(?:and\s+)?(?:others|et\.?\s*al\.?|\.{3}|…)$|^and\s+\d+\s+(?:others|more)$", re.IGNORECASE)
_PARTICLES = frozenset("van von der den de del della di da dos la le el al bin ibn ter ten zu af st".split())
_SUFFIXES = frozenset("jr sr ii iii iv".split())


def _person(name: str) -> _Person:
    name = name[:200]
    if "," in name:
        family, _, given = name.partition(",")
        return _Person(tuple(plain(given).split()), tuple(plain(family).split()))
    words = [w for w in plain(name).split() if w not in _SUFFIXES] or plain(name).split()
    if len(words) > 1 and len(words[-1]) == 1 and len(words[0]) > 1:  # `Zhou C`, as medical journals write it
        at = next(i for i, w in enumerate(words) if i and len(w) == 1)
        return _Person(tuple(words[at:]), tuple(words[:at]))
    at = max(len(words) - 1, 0)
    while at > 1 and words[at - 1] in _PARTICLES:
        at -= 1
    return _Person(tuple(words[:at]), tuple(words[at:]))


def _split_list(names: Sequence[str]) -> tuple[list[str], bool]:
    """Part a list into names and whether it says that there are more."""
    kept, cut = [], False
    for name in names:
        bare = re.sub(r"\s+et\.?\s*al\.?$", "", name.strip(), flags=re.IGNORECASE)
        cut = cut or bare != name.strip() or _OTHERS.match(name.strip()) is not None
        if bare and not _OTHERS.match(bare) and plain(bare):
            kept.append(bare)
    return kept, cut


def same_person(stated: str, actual: str) -> bool:
    """Tell whether two names may be one person's: family name equal, given names not in conflict.

    `J. Smith`, `Smith, John` and `John A. Smith` may be one; `Archit Sharma` and `Aviral Sharma` are two. Names in
    family-first order match too.
    """
    return _one(_person(stated), _person(actual))


def _handles(person: _Person) -> set[str]:
    """Words under which a person can be looked for: all but bare initials."""
    return {*(w for w in person.given if len(w) > 1), *person.family, "".join(person.family)}


def _one(a: _Person, b: _Person) -> bool:
    if not a.family or not b.family:
        return False
    if sorted(a.given + a.family) == sorted(b.given + b.family) or "".join(a.given + a.family) == "".join(
        b.given + b.family
    ):
        return True
    core_a = tuple(w for w in a.family if w not in _PARTICLES) or a.family
    core_b = tuple(w for w in b.family if w not in _PARTICLES) or b.family
    if core_a[-1] != core_b[-1] and "".join(core_a) != "".join(core_b):
        return False
    return _given_agree(a.given, b.given)


def _given_agree(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    if not a or not b:
        return True
    first, other = a[0], b[0]
    if len(first) == 1 or len(other) == 1 or _are_initials(first) or _are_initials(other):
        return first[0] == other[0] or any(w[0] == first[0] for w in b) or any(w[0] == other[0] for w in a)
    if first.startswith(other[:3]) or other.startswith(first[:3]) or first in b or other in a:
        return True
    return "".join(a) == "".join(b) or SequenceMatcher(None, first, other).ratio() >= 0.75


def _are_initials(word: str) -> bool:
    return len(word) == 2 and not any(v in word for v in "aeiouy")


class AuthorCheck(NamedTuple):
    """What comparing authors gave."""

    problem: Problem | None
    unchecked: str | None
    """why stated authors could not be compared, when they could not"""


def check_authors(stated: Sequence[str], paper: Paper) -> AuthorCheck:
    """Compare author lists: every stated author is one of the paper's, and nobody is left out without `et al.`.

    A list cut at its end, or in another order, is a finding; a name that is not among the authors is serious.
    """
    names, stated_cut = _split_list(stated)
    if not names:
        return AuthorCheck(None, None)
    actual, actual_cut = _split_list(paper.authors)
    # Collected records often keep the first author alone, and nothing in them says so.
    actual_cut = actual_cut or (len(actual) == 1 and paper.source is not Source.ARXIV)
    if not actual:
        return AuthorCheck(None, "the source lists no authors")
    people = [_person(name) for name in actual]
    by_word: dict[str, list[int]] = defaultdict(list)
    for i, person in enumerate(people):
        for word in _handles(person):
            by_word[word].append(i)
    left = set(range(len(actual)))
    where: list[int] = []
    strangers = []
    for name in names:
        person = _person(name)
        near = {i for word in _handles(person) for i in by_word.get(word, ())}
        hit = next((i for i in sorted(near & left) if _one(person, people[i])), None)
        if hit is None:
            strangers.append(name)
        else:
            left.remove(hit)
            where.append(hit)
    shown = "; ".join(names[:6]) + ("; …" if len(names) > 6 else "")
    real = "; ".join(actual[:6]) + ("; …" if len(actual) > 6 or actual_cut else "")

    def problem(message: str, *, serious: bool) -> AuthorCheck:
        return AuthorCheck(Problem(field="authors", stated=shown, actual=real, message=message, serious=serious), None)

    if strangers and actual_cut and where == [0] and names[0] not in strangers:
        return AuthorCheck(None, f"the {paper.source} names only {actual[0]}")
    if strangers:
        listed = ", ".join(strangers[:4]) + (" and others" if len(strangers) > 4 else "")
        return problem(f"not among the authors: {listed}", serious=True)
    if where != sorted(where):
        return problem("the authors stand in another order", serious=where[0] != 0)
    if left and not stated_cut and not actual_cut:
        if where == list(range(len(where))) and len(where) >= 3:
            return problem(
                f"the list ends after {len(names)} of {len(actual)} authors, without “et al.”", serious=False
            )
        return problem(f"{len(left)} of {len(actual)} authors are left out", serious=True)
    return AuthorCheck(None, None)


_YEARS_FROM_PREPRINT_TO_PRINT = 2
"""a citation may carry the year of print; https://info.arxiv.org/help/faq/references.html"""


def check_date(stated: StatedDate | None, paper: Paper, *, bibliographic: bool) -> Problem | None:
    """Compare the stated date with that of v1.

    A date that is off is a finding. In a bibliographic entry (`bibliographic`) two things are serious: a year before
    the paper existed, and a year more than two after it.
    """
    if stated is None or stated.agrees_with(paper.published):
        return None
    place = "arXiv" if paper.source is Source.ARXIV else f"the {paper.source} record"
    message = f"stated {stated}, {place} says {paper.published}"
    serious = False
    if bibliographic and not stated.circa:
        late = stated.start.year - paper.published.end.year
        early = (paper.published.start - stated.end).days
        # A record that knows only the month, or the listing day, may be off by some days at a year's end.
        slack = 7 if paper.published.precision is Precision.DAY else 31
        serious = late > _YEARS_FROM_PREPRINT_TO_PRINT or early > slack
    return Problem(field="date", stated=str(stated), actual=str(paper.published), message=message, serious=serious)


_VENUES = {
    "neurips": r"\bneurips\b|\bnips\b|neural information processing systems",
    "iclr": r"\biclr\b|learning representations",
    "icml": r"\bicml\b|international conference on machine learning|\bintl conf on machine learning",
    "naacl": r"\bnaacl\b|(?:north american|americas) .*computational linguistics",
    "eacl": r"\beacl\b|european chapter .*computational linguistics",
    "emnlp": r"\bemnlp\b|empirical methods in natural language",
    "coling": r"\bcoling\b|international conference on computational linguistics",
    "tacl": r"\btacl\b|transactions of the association for computational",
    "acl": r"\bacl\b|annual meeting of the association for computational",
    "colm": r"\bcolm\b|conference on language modeling",
    "aaai": r"\baaai\b",
    "ijcai": r"\bijcai\b",
    "cvpr": r"\bcvpr\b|computer vision and pattern recognition",
    "iccv": r"\biccv\b|international conference on computer vision",
    "eccv": r"\beccv\b|european conference on computer vision",
    "aistats": r"\baistats\b|artificial intelligence and statistics",
    "uai": r"\buai\b|uncertainty in artificial intelligence",
    "jmlr": r"\bjmlr\b|journal of machine learning research",
    "tmlr": r"\btmlr\b|transactions on machine learning research",
    "kdd": r"\bkdd\b|knowledge discovery and data mining",
    "www": r"\bwww\b|\bthe web conf",
    "interspeech": r"\binterspeech\b",
    "icassp": r"\bicassp\b",
    "corl": r"\bcorl\b|conference on robot learning",
    "icra": r"\bicra\b",
    "eamt": r"\beamt\b",
}
_PREPRINT = re.compile(r"\barxiv\b|\bcorr\b|\bpreprint\b|\be prints?\b")


def _venues(text: str) -> set[str]:
    low = plain(text)
    found = {name for name, pattern in _VENUES.items() if re.search(pattern, low)}
    return found - {"acl"} if found & {"naacl", "eacl", "emnlp", "tacl", "coling"} else found


def check_venue(stated: str | None, paper: Paper) -> Problem | None:
    """Compare the stated venue with what the record's journal line and comment say; silent when they say nothing."""
    if not stated or _PREPRINT.search(plain(stated)):
        return None
    said = " ".join(filter(None, (paper.journal_ref, paper.comment)))
    known, claimed = _venues(said), _venues(stated)
    if not known or claimed & known or (plain(stated) and plain(stated) in plain(said)):
        return None
    message = f"stated {stated}, the record says {said[:120]}"
    return Problem(field="venue", stated=stated, actual=said[:200], message=message, serious=bool(claimed))


def check_version(stated: int | None, paper: Paper) -> Problem | None:
    """Tell when a stated version is newer than the newest one. Only live arXiv's list of versions is sure "
    "to be whole."""
    newest = paper.latest_version
    if stated is None or newest is None or stated <= newest:
        return None
    sure = paper.source is Source.ARXIV
    message = f"stated v{stated}, " + (f"the newest is v{newest}" if sure else f"the {paper.source} knows of v{newest}")
    return Problem(field="version", stated=f"v{stated}", actual=f"v{newest}", message=message, serious=sure)


def check_topic(stated: str | None, paper: Paper) -> Problem | None:
    """Tell when a stated topic shares no telling word with the paper's title and abstract."""
    wanted = telling_words(stated or "")
    text = " ".join(filter(None, (paper.abstract, paper.finding)))
    if not stated or not wanted or not text or wanted & telling_words(f"{paper.title} {text}"):
        return None
    message = f"stated to be about {stated}; the paper is “{paper.title}”"
    return Problem(field="topic", stated=stated, actual=paper.title, message=message, serious=False)
