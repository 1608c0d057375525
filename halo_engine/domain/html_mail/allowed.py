"""What the HTML of an email may hold (contract §15).

Mail programs drop scripts, forms and frames, and servers take mail with them for an attack. So they
are refused by name when the email is saved. Everything else stays as its author wrote it.
"""

import re
from collections.abc import Iterator
from typing import Final

from halo_engine.domain.errors import shown

#: Elements that run code, load other pages, ask for input, or whose content is no HTML.
REFUSED_ELEMENTS: Final = frozenset(
    {"script", "applet", "embed", "object", "math", "slot", "svg", "template"}
    | {"base", "iframe", "frame", "frameset", "portal"}
    | {"button", "fieldset", "form", "input", "option", "select", "textarea"}
    | {"noembed", "noframes", "noscript", "plaintext", "xmp"}
)
#: Attributes that lead to code or to another page.
_REFUSED_ATTRIBUTES: Final = frozenset({"action", "formaction", "ping", "srcdoc"})
_ALLOWED_META: Final = frozenset({"content-type", "x-ua-compatible"})

#: The attributes that hold a URL, and those that hold several.
URL_ATTRIBUTES: Final = frozenset(
    ["background", "cite", "data", "href", "longdesc", "poster", "src", "xlink:href"]
)
URL_LIST_ATTRIBUTES: Final = frozenset({"srcset"})
_SCHEMES: Final = ("https:", "http:", "mailto:", "tel:", "sms:", "cid:")
_PICTURE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp)[;,]")
_PICTURE_ATTRIBUTES: Final = frozenset({"src", "background", "srcset"})
#: Browsers skip these in a scheme.
_SKIPPED: Final = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_SCHEME: Final = re.compile(r"[^/?#]*?:")
_CSS_CODE: Final = re.compile(r"expression\s*\(|-moz-binding|behavior\s*:|(?:java|vb)script\s*:")

#: What Outlook reads and others skip, and what is refused there too.
_FOR_OUTLOOK: Final = re.compile(r"\s*\[\s*if\b", re.IGNORECASE)
_REFUSED_IN_COMMENTS: Final = re.compile(
    rf"<\s*(?:link|{'|'.join(sorted(REFUSED_ELEMENTS))})\b|@import|\bon[a-z]+\s*=", re.IGNORECASE
)

HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
#: A URL whose scheme and host the author spelled out; values may come after the host.
_SPELLED_OUT: Final = re.compile(rf"\s*https?://{HOST}(?:[/?#].*)?", re.DOTALL)
#: So much of such a URL has to stand before the first value.
_HOST_AND_SLASH: Final = re.compile(rf"\s*https?://{HOST}[/?#].*", re.DOTALL)
_WEB: Final = re.compile(r"\s*https?:", re.IGNORECASE)


def problem_of_element(name: str, attributes: dict[str, str | None]) -> str | None:
    """Return why an element is refused; None if it is allowed."""
    if name in REFUSED_ELEMENTS:
        return f"<{name}> is refused; allowed is HTML without scripts, forms and other pages"
    if name == "meta" and (attributes.get("http-equiv") or "").lower() not in {"", *_ALLOWED_META}:
        return "<meta http-equiv> is refused; allowed are Content-Type and X-UA-Compatible"
    return None


def problem_of_attribute(name: str, value: str) -> str | None:
    """Return why an attribute is refused; None if it is allowed."""
    if name.startswith("on"):
        return f"the attribute {shown(name)} is refused; allowed are attributes that run no code"
    if name in _REFUSED_ATTRIBUTES:
        return f"the attribute {shown(name)} is refused; allowed are links with href"
    if name == "style" and _CSS_CODE.search(value.lower()):
        return f"the style {shown(value)} is refused; allowed are styles that run no code"
    return next((p for url in urls_in(name, value) if (p := _problem_of_url(name, url))), None)


def problem_of_styles(css: str) -> str | None:
    """Return why the content of a ``<style>`` is refused; None if it is allowed."""
    if _CSS_CODE.search(css.lower()):
        return "the styles run code; allowed are styles that run none"
    return None


def problem_of_comment(comment: str) -> str | None:
    """Return why a comment that Outlook reads as HTML is refused; None if it is allowed.

    Such comments hold parts of pages that no parser can read alone, so they are searched as text.
    """
    if not _FOR_OUTLOOK.match(comment):
        return None
    if found := _REFUSED_IN_COMMENTS.search(comment):
        return f"{shown(found[0])} is refused in a comment; allowed is HTML that loads nothing"
    return problem_of_styles(comment)


def urls_in(attribute: str, value: str) -> Iterator[str]:
    """Yield the URLs that an attribute holds."""
    if attribute in URL_ATTRIBUTES:
        yield value
    elif attribute in URL_LIST_ATTRIBUTES:
        yield from (each.split()[0] for each in value.split(",") if each.strip())


def is_web_link(url: str) -> bool:
    """Return whether a URL leads to a page, so that clicks on it can be tracked."""
    return _SPELLED_OUT.fullmatch(url) is not None


def may_hold_values(url: str, first_value: int) -> bool:
    """Return whether a value at ``first_value`` cannot decide where the URL leads."""
    if _WEB.match(url):
        return _HOST_AND_SLASH.fullmatch(url[:first_value]) is not None
    before = url[:first_value].lower()
    return before.startswith(("tel:", "sms:")) or (before.startswith("mailto:") and "?" in before)


def _problem_of_url(attribute: str, url: str) -> str | None:
    plain = _SKIPPED.sub("", url).lower()
    scheme = _SCHEME.match(plain)
    if scheme is None or plain.startswith(_SCHEMES):
        return None
    if attribute in _PICTURE_ATTRIBUTES and _PICTURE.match(plain):
        return None
    return f"the URL {shown(url)} is refused; allowed are {', '.join(_SCHEMES)} and pictures"
