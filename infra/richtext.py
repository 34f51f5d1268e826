"""Rich text that people send, without anything that acts: what a browser would run, load or hide never comes back.

The texts are Markdown or HTML, and whoever shows them decides which. HTML keeps harmless tags and https or mailto links
(nh3, the library ammonia, does that by parsing as a browser does); Markdown stays as it was typed, but for links whose
scheme acts, however it is escaped. It refuses nothing, cleaning what is clean changes nothing, and the time it takes grows
with the length of the text alone: no pattern goes back over what it has read.
"""

import html
import re

_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "hr", "i", "li", "ol", "p"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "pre", "s", "strong", "sub", "sup", "u", "ul"),
    *("table", "tbody", "td", "th", "thead", "tr"),
}
_TAG = re.compile(r"<[A-Za-z/!?]")
"""All that begins a tag, a comment or a declaration (HTML Living Standard 13.2.5.6); any other `<` is a character."""

_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>\"'`=]+)>")
"""Markdown's `<https://...>`, which an HTML parser takes for a tag. Without the angles it is a link as well."""

_LINK = re.compile(
    r"((?:\]\(|^[\s>*+\-0-9.)]{0,40}+\[(?:[^\[\]\\]|\\[\s\S]){0,999}+\]:)\s*+<?+\s*+)([^\s<>()\[\]]{1,300}+(?:\s*+:)?+)",
    re.MULTILINE,
)
"""Where Markdown names the target of a link (CommonMark 6.3, 4.7; the second also in a quote or a list), and how it begins."""

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f]")
_ACTING = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)


def clean(text: str) -> str:
    """The text without what acts."""
    if "](" in text or "]:" in text:
        text = _LINK.sub(_defused, text)
    if "<" not in text or not _TAG.search(text):
        return text
    import nh3  # here, so that who meets no HTML does not carry it

    return nh3.clean(_AUTOLINK.sub(r"\1", text), tags=_TAGS, url_schemes={"https", "mailto"})


def _defused(link: re.Match[str]) -> str:
    """The link with a scheme that does nothing, where it had one that acts once escapes and references are read."""
    target = _INVISIBLE.sub("", html.unescape(_ESCAPED.sub(r"\1", link[2])))
    return f"{link[1]}unsafe:{link[2].partition(':')[2]}" if _ACTING.match(target) else link[0]
