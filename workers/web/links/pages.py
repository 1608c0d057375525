"""The pages behind a mail's unsubscribe link; they need no script (contract §16)."""

import hashlib
from base64 import b64encode
from http import HTTPStatus
from typing import Final

from markupsafe import Markup

from halo_engine.contacts.consent.choosing import Topic
from halo_engine.mail.incoming.confirmations import Confirmation
from halo_engine.mail.incoming.links import Looked
from halo_engine.mail.incoming.preferences import Preferences

from ..messages.responses import Headers, Response

_STYLE: Final = (
    ":root{color-scheme:light dark;--line:#8a8f98;--button:#1d4ed8;--on-button:#fff}"
    "*{box-sizing:border-box}"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:2rem 1rem;overflow-wrap:anywhere}"
    "main{max-width:34rem;margin:0 auto}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}"
    "h2{font-size:1.125rem;line-height:1.25;margin:0 0 .75rem}"
    "section{margin-top:2.5rem;padding-top:1.5rem;border-top:1px solid var(--line)}"
    "p{margin:0 0 1rem}.sender{font-weight:600;margin-bottom:1.5rem}"
    "fieldset{border:0;margin:0 0 1rem;padding:0}legend{padding:0;margin-bottom:.5rem}"
    ".topic{display:grid;grid-template-columns:auto 1fr;gap:0 .75rem;align-items:start;"
    "padding:.5rem 0}"
    ".topic input{width:1.5rem;height:1.5rem;margin:0}"
    ".topic label{font-weight:600}.topic p{grid-column:2;margin:0}"
    "button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.5rem;"
    "border:2px solid var(--button);border-radius:.375rem;background:var(--button);"
    "color:var(--on-button);cursor:pointer}"
    "button.quiet{background:Canvas;color:CanvasText}"
    ":focus-visible{outline:3px solid var(--button);outline-offset:3px}"
    "@media (prefers-color-scheme:dark){"
    ":root{--line:#7b818b;--button:#93b4fd;--on-button:#0b1220}}"
)
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final[Headers] = ((b"content-security-policy", _POLICY.encode()),)
_PAGE: Final = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
    "{sender}<h1>{heading}</h1>\n{content}\n</main>\n</body>\n</html>\n"
)
_SENDER: Final = Markup('<p class="sender">{name}</p>\n')
_SAID: Final = Markup("<p>{said}</p>")
_SAVED: Final = Markup('<p role="status">{said}</p>')
_LEAVE: Final = Markup('<form method="post"><button type="submit">Unsubscribe</button></form>')
_CONFIRM: Final = Markup('<form method="post"><button type="submit">Confirm</button></form>')
_CHOICE: Final = Markup(
    '\n<section aria-labelledby="lists">\n<h2 id="lists">Choose what you get</h2>\n'
    '<form method="post">\n<input type="hidden" name="preferences" value="lists">\n'
    "<fieldset>\n<legend>Check what you want to get from {name}.</legend>\n{topics}</fieldset>\n"
    '<button type="submit" class="quiet">Save my choice</button>\n</form>\n</section>'
)
_TOPIC: Final = Markup(
    '<div class="topic"><input type="hidden" name="shown" value="{key}">'
    '<input type="checkbox" id="list-{key}" name="list" value="{key}"{checked}{described}>'
    '<label for="list-{key}">{name}</label>{description}</div>\n'
)
_DESCRIBED: Final = Markup(' aria-describedby="about-{key}"')
_DESCRIPTION: Final = Markup('<p id="about-{key}">{text}</p>')
_EVERYTHING: Final = Markup(
    '\n<section aria-labelledby="everything">\n<h2 id="everything">Everything</h2>\n'
    '<p>Get no more mail from {name}, of any list.</p>\n<form method="post">\n'
    '<input type="hidden" name="preferences" value="everything">\n'
    '<button type="submit" class="quiet">Unsubscribe from everything</button>\n</form>\n</section>'
)


def asking(found: Preferences) -> Response:
    """Return the page with one button, and the lists below; or that it was done before."""
    looked = found.looked
    if looked.done:
        return done(found)
    heading = f"Unsubscribe from {_source(found)}?"
    said = f"{_whom(looked)} will get no more {_mail(found)}."
    content = _SAID.format(said=said) + _LEAVE + _choices(found)
    return _page(looked.name, heading, content)


def done(found: Preferences) -> Response:
    """Return the page that says that it is done; the lists can be joined again there."""
    looked = found.looked
    said = f"{_whom(looked)} gets no more {_mail(found)}."
    content = _SAVED.format(said=said) + _choices(found)
    return _page(looked.name, "You are unsubscribed", content)


def chosen(found: Preferences) -> Response:
    """Return the page that says what was chosen, and what that leaves."""
    looked = found.looked
    if not found.gets_mail and not found.bounced:
        said = f"{_whom(looked)} gets no more mail from {looked.name}."
        heading = "You are unsubscribed"
    else:
        joined = [topic.name for topic in found.topics if topic.joined]
        lists = ", ".join(f"‘{name}’" for name in joined) or "none of these lists"
        said = f"{_whom(looked)} is on {lists}."
        heading = "Your choice is saved"
    return _page(looked.name, heading, _SAVED.format(said=said) + _choices(found))


def confirming(found: Confirmation) -> Response:
    """Return the page with the button that confirms a list; or what came of it."""
    whom, what = masked(found.address), f"‘{found.title}’"
    match found.state:
        case "pending":
            about = _SAID.format(said=found.description) if found.description else Markup()
            said = _SAID.format(said=f"{whom} will get mail of {what} from {found.name}.")
            return _page(found.name, f"Do you want {what}?", about + said + _CONFIRM)
        case "confirmed":
            said = _SAVED.format(said=f"{whom} gets mail of {what} from {found.name}.")
            return _page(found.name, "You are subscribed", said)
    said = _SAID.format(
        said="It works for 7 days, and not after you unsubscribed. Subscribe again."
    )
    return _page(found.name, "This link is over", said, HTTPStatus.GONE)


def not_valid(status: int) -> Response:
    """Return the page for a link that is none of ours."""
    said = "It may be cut off: copy the whole link from the mail."
    return _page(None, "This link does not work", _SAID.format(said=said), status)


def _choices(found: Preferences) -> Markup:
    """Return the forms below: the lists, and everything where the button leaves one list."""
    name = found.looked.name
    written = Markup()
    if found.bounced:
        said = "Mail to this address came back, so it gets none, whatever is checked here."
        written += _SAID.format(said=said)
    if found.topics:
        topics = Markup().join(map(_topic, found.topics))
        written += _CHOICE.format(name=name, topics=topics)
    if found.looked.list is not None and found.gets_mail:
        written += _EVERYTHING.format(name=name)
    return written


def _topic(topic: Topic) -> Markup:
    key, text = topic.list, topic.description
    return _TOPIC.format(
        key=key,
        name=topic.name,
        checked=Markup(" checked") if topic.joined else "",
        described=_DESCRIBED.format(key=key) if text else "",
        description=_DESCRIPTION.format(key=key, text=text) if text else "",
    )


def _page(sender: str | None, heading: str, content: Markup, status: int = 200) -> Response:
    html = _PAGE.format(
        title=f"{heading} | {sender}" if sender else heading,
        style=Markup(_STYLE),
        sender=_SENDER.format(name=sender) if sender else "",
        heading=heading,
        content=content,
    )
    return Response(status, html.encode(), b"text/html; charset=utf-8", _HEADERS)


def _list_name(found: Preferences) -> str | None:
    """Return what people see of the list that the link leaves; None if it leaves everything."""
    key = found.looked.list
    return next((topic.name for topic in found.topics if topic.list == key), key)


def _source(found: Preferences) -> str:
    name = _list_name(found)
    return f"‘{name}’" if name else found.looked.name


def _mail(found: Preferences) -> str:
    name = _list_name(found)
    which = f" of the list ‘{name}’" if name else ""
    return f"mail{which} from {found.looked.name}"


def _whom(looked: Looked) -> str:
    return masked(looked.address)


def masked(address: str | None) -> str:
    """Return an address without most of its local part: whoever opens the page may see it."""
    if address is None:
        return "This address"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
