"""A Markdown checklist as the items of a release plan.

Every check box becomes a text item; boxes nested in it become its sub-steps. The headings (or lines that are bold as a
whole) and the plain bullets that a box stands under become its group. Boxes in comments, code and front matter are no
tasks. A box that is ticked already is noted in the content and asked for again: a tick in a file proves nothing. It
renders no HTML and follows no link.

The boxes are found here and not by the parser's task list plugin, which takes two minutes for 30 000 boxes.
"""

import re
from collections import Counter
from collections.abc import Callable

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from contracts.refusals import Fault, Refused
from contracts.values import Item, SubStep, TextSpec

LARGEST_BYTES = 1024 * 1024
MOST_LINES = 40_000
"""What the parser takes a second or two for, at its worst."""

MOST_BOXES = 10_000
"""As many items as a plan may have."""

_INLINE = (
    4_000  # characters of a paragraph that are looked at for a name: 64 000 brackets take the parser three seconds
)
_NESTING = 100  # the parser's own limit of 20 loses boxes deeper than nine lists without a word
_NAME, _GROUP, _TITLE, _CONTENT, _STEP, _STEPS = 300, 1_000, 200, 20_000, 2_000, 500
_JOIN = " / "
_BOX = re.compile(r"\[([ xX])\]\s+")  # GitHub's rule: the first thing of a list entry's first paragraph
_TITLE_LINE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_TICKED = "Ticked already in the imported checklist"


class Checklist(msgspec.Struct, frozen=True):
    """`title` is the front matter's, else the first heading's, else empty."""

    title: str
    items: tuple[Item, ...]

    @property
    def boxes(self) -> int:
        """How many boxes it was made of."""
        return sum(1 + len(item.spec.sub_steps) for item in self.items if isinstance(item.spec, TextSpec))


class _Bullet:
    """A list entry that is being read: a box, or a plain one (`ticked` is None)."""

    def __init__(self, token: Token) -> None:
        self.first, self.end = token.map or [0, 0]
        self.ticked: bool | None = None
        self.begun = False
        self.text = ""
        self.group = ""
        self.steps: list[tuple[str, bool]] = []
        self.cut: list[tuple[int, int]] = []  # the lines of nested boxes: they are sub-steps, not content


def parse_checklist(text: str, *, max_bytes: int = LARGEST_BYTES, max_boxes: int = MOST_BOXES) -> Checklist:
    """The checklist in a Markdown text (CommonMark, GitHub's check boxes).

    Ids are the words of the box and the number of its occurrence (`stage-1`, `stage-2`), so they survive an insertion.
    Raises Refused: `checklist_without_boxes`, `body_too_large`, or `invalid_body` for too many boxes.
    """
    if len(text.encode("utf-8", "replace")) > max_bytes:
        raise Refused("body_too_large", f"A checklist may have {max_bytes} bytes at most.", limit_bytes=max_bytes)
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))
    if (lines := text.count("\n")) > MOST_LINES:
        detail = f"A checklist may have {MOST_LINES} lines at most; this one has {lines}."
        raise Refused("body_too_large", detail, limit_lines=MOST_LINES)
    markdown = MarkdownIt("commonmark", {"maxNesting": _NESTING}).use(front_matter_plugin)
    markdown.core.ruler.disable("inline")  # only names are parsed to the letter
    links: dict[str, object] = {}
    tokens = markdown.parse(text, links)
    reading = _Reading(text.split("\n"), lambda inline: _parsed(markdown, inline, links))
    for number, token in enumerate(tokens):
        reading.take(token, tokens[number + 1] if number + 1 < len(tokens) else None)
    if not reading.boxes:
        detail = (
            "There is no check box in it. A task is a list entry that begins with [ ], like '- [ ] Tell the users'."
        )
        raise Refused("checklist_without_boxes", detail, [Fault("", "no check boxes", "checklist_without_boxes")])
    too_many = _too_many(reading, max_boxes)
    if too_many:
        raise Refused("invalid_body", "The checklist is too long for one plan.", too_many)
    return Checklist(reading.title, _items(reading))


def _parsed(markdown: MarkdownIt, inline: Token, links: dict[str, object]) -> list[Token]:
    found: list[Token] = []
    markdown.inline.parse(inline.content[:_INLINE], markdown, links, found)
    return found


class _Reading:
    """Goes through the tokens once, in order."""

    def __init__(self, lines: list[str], parsed: Callable[[Token], list[Token]]) -> None:
        self.lines = lines
        self._parsed = parsed
        self.title = ""
        self.boxes: list[_Bullet] = []
        self._headings: list[tuple[int, str]] = []
        self._bold = ""
        self._open: list[_Bullet] = []

    def take(self, token: Token, following: Token | None) -> None:
        match token.type:
            case "front_matter":
                self.title = _front_title(token.content)
            case "heading_open" if following is not None:
                self._heading(int(token.tag[1]), _plain(self._parsed(following)))
            case "list_item_open":
                self._open.append(_Bullet(token))
            case "list_item_close":
                self._close(self._open.pop())
            case "paragraph_open" if following is not None:
                self._paragraph(following)

    def _heading(self, level: int, text: str) -> None:
        if not self.title and not self._headings:
            self.title = _cut(text, _TITLE)
            text = "" if level == 1 else text  # what names the whole plan need not be said with each item
        self._headings = [(above, name) for above, name in self._headings if above < level] + [(level, text)]
        self._bold = ""

    def _paragraph(self, inline: Token) -> None:
        if not self._open:
            bold = inline.content.startswith(("**", "__"))
            self._bold = (_bold_line(self._parsed(inline)) if bold else "") or self._bold
        elif not self._open[-1].begun:
            self._begin(self._open[-1], inline)

    def _begin(self, bullet: _Bullet, inline: Token) -> None:
        bullet.begun = True
        bullet.text = _plain(self._parsed(inline))
        if found := _BOX.match(inline.content):
            bullet.ticked = found[1] != " "
            bullet.text = _BOX.sub("", f"{bullet.text} ", count=1).strip() or "(no text)"
            self._box(bullet)

    def _box(self, bullet: _Bullet) -> None:
        """A box stands alone, or is a sub-step of the outermost box around it."""
        outer = next((other for other in self._open[:-1] if other.ticked is not None), None)
        if outer is None:
            plain = [other.text for other in self._open[:-1]]
            bullet.group = _cut(_JOIN.join(filter(None, [*(n for _, n in self._headings), self._bold, *plain])), _GROUP)
            self.boxes.append(bullet)
        else:
            within = self._open[self._open.index(outer) + 1 : -1]
            text = _JOIN.join([*(_cut(other.text, 100) for other in within), bullet.text])
            outer.steps.append((_cut(text, _STEP), bool(bullet.ticked)))

    def _close(self, bullet: _Bullet) -> None:
        if bullet.ticked is None:
            return
        while not self.lines[bullet.end - 1].strip():  # blank lines after a list belong to what follows
            bullet.end -= 1
        for outer in self._open:
            outer.cut.append((bullet.first, bullet.end))


def _items(reading: _Reading) -> tuple[Item, ...]:
    numbers: Counter[str] = Counter()
    return tuple(_item(box, reading.lines, numbers) for box in reading.boxes)


def _item(box: _Bullet, lines: list[str], numbers: Counter[str]) -> Item:
    own: Counter[str] = Counter()
    steps = tuple(SubStep(id=_id(text, own, "step"), text=text) for text, _ in box.steps)
    name = _cut(box.text, _NAME)
    content = _content(box, lines)
    return Item(
        id=_id(box.text, numbers, "item"),
        name=name,
        group=box.group,
        spec=TextSpec(content="" if content == name else content, sub_steps=steps),
    )


def _content(box: _Bullet, lines: list[str]) -> str:
    """The Markdown of the box without its marker and without the boxes in it; then what was ticked already."""
    cut = {number for first, end in box.cut for number in range(first, end)}
    rest = [lines[number] for number in range(box.first + 1, box.end) if number not in cut]
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    marker = _BOX.search(f"{lines[box.first]} ")
    begin = lines[box.first][marker.end() :] if marker else box.text
    text = "\n".join([begin, *(line[margin:] for line in rest)]).strip()
    notes = [f"> {_TICKED}."] if box.ticked else []
    notes += [f"> {_TICKED}: {step}" for step, ticked in box.steps if ticked]
    return _cut_text("\n\n".join([text, "\n".join(notes)]) if notes else text)


def _id(text: str, numbers: Counter[str], fallback: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].rstrip("-") or fallback
    numbers[words] += 1
    return f"{words}-{numbers[words]}"


def _too_many(reading: _Reading, max_boxes: int) -> list[Fault]:
    faults = [
        Fault(f"/lines/{box.first}", f"{len(box.steps)} boxes in one box; {_STEPS} are allowed")
        for box in reading.boxes
        if len(box.steps) > _STEPS
    ]
    count = sum(1 + len(box.steps) for box in reading.boxes)
    return [*faults, Fault("", f"{count} check boxes; {max_boxes} are allowed")] if count > max_boxes else faults


def _front_title(front_matter: str) -> str:
    found = _TITLE_LINE.search(front_matter)
    return _cut(found[1].strip("'\""), _TITLE) if found else ""


def _bold_line(parts: list[Token]) -> str:
    """The text of a paragraph that is one bold run, perhaps with a colon behind it; else nothing."""
    inner = [part for part in parts if part.type != "text" or part.content.strip(" :")]
    bold = len(inner) >= 3 and inner[0].type == "strong_open" and inner[-1].type == "strong_close"
    if not bold or any(part.type == "strong_close" for part in inner[:-1]):
        return ""
    return _plain(parts).removesuffix(":").rstrip()


def _plain(parts: list[Token]) -> str:
    """The words without markup and comments, in one line."""
    words = {"text", "text_special", "code_inline", "image"}
    texts = (part.content if part.type in words else " " * part.type.endswith("break") for part in parts)
    return " ".join("".join(texts).split())


def _cut(text: str, length: int) -> str:
    one_line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return one_line if len(one_line) <= length else one_line[: length - 1].rstrip() + "…"


def _cut_text(text: str) -> str:
    return text if len(text) <= _CONTENT else text[: _CONTENT - 1] + "…"
