"""Rich text that people send, without anything that acts: what a browser would run, load or hide never comes back.

The texts are Markdown or HTML, and whoever shows them decides which. HTML keeps harmless tags and https or mailto links
(nh3, the library ammonia, does that by parsing as a browser does); Markdown stays as it was typed, but for links whose
scheme acts. It refuses nothing, and cleaning what is clean changes nothing.
"""

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

_ACTING = re.compile(
    r"(\]\(\s*<?\s*|^\s{0,3}\[[^\]]*\]:\s*<?\s*)(?:javascript|vbscript|data)\s*:", re.IGNORECASE | re.MULTILINE
)


def clean(text: str) -> str:
    """The text without what acts."""
    if "](" in text or "]:" in text:
        text = _ACTING.sub(r"\1unsafe:", text)
    if "<" not in text or not _TAG.search(text):
        return text
    import nh3  # here, so that who meets no HTML does not carry it

    return nh3.clean(_AUTOLINK.sub(r"\1", text), tags=_TAGS, url_schemes={"https", "mailto"})
