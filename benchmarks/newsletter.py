"""A newsletter of 20 KB as its author writes it: styles, a table of articles, links, values."""

from typing import Any, Final

_STYLES: Final = (
    "body{margin:0;background:#f3f4f6}.page{max-width:600px;margin:0 auto;background:#fff}"
    "h1{font:700 26px/1.2 Georgia,serif;color:#111827;margin:0 0 12px}"
    "h2{font:700 18px/1.3 Georgia,serif;color:#111827;margin:24px 0 8px}"
    "p{font:16px/1.55 Arial,sans-serif;color:#374151;margin:0 0 16px}"
    "td{padding:0 24px;border-bottom:1px solid #e5e7eb}a{color:#1d4ed8;text-decoration:underline}"
    ".button{display:inline-block;padding:12px 20px;background:#1d4ed8;color:#fff}"
    "@media (max-width:480px){td{padding:0 12px}}"
)
_SENTENCE: Final = (
    "The release of this month makes reports faster, adds filters by plan, and mends what you told "
    "us about exports: “numbers stay numbers”, dates stay dates. "
)
_ARTICLES: Final = 13


def _article(number: int) -> str:
    return (
        f"<tr><td><h2>Article {number} for {{{{ custom:plan|your plan }}}}</h2>"
        f"<p>{_SENTENCE * 8}</p>"
        f'<p><a class="button" href="https://acme.example/news/{number}?from={{{{ email }}}}">'
        "Read on</a></p></td></tr>\n"
    )


PAGE: Final = (
    f"<!doctype html><html><head><title>News</title><style>{_STYLES}</style></head><body>"
    '<div class="page"><h1>News for {{ name|you }}</h1><table role="presentation">\n'
    + "".join(map(_article, range(_ARTICLES)))
    + "</table>{% if plan %}<p>You are on {{ plan }}.</p>{% endif %}"
    '<p>{{ footer }}</p><p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p></div></body></html>'
)

EMAIL: Final[dict[str, Any]] = {
    "subject": "News for {{ name|you }}",
    "preview": "Faster reports, and filters by plan",
    "html": PAGE,
}
