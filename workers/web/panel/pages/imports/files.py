"""Imports: a file is sent, its columns are mapped, workers import it (contract §12, §17)."""

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from halo_engine.contacts.csv_import.uploads.look import ImportList, Look
from halo_engine.contacts.csv_import.uploads.receiving import Upload
from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.tables.imports import UploadState

from ....endpoints.imports import RUN
from ....messages.responses import Problem
from ...forms import NO_FAULTS, Faults, Form
from ...page import Page, PageAnswer, SeeOther, View, Visit
from . import mapping

_PATH: Final = "/imports"
#: Refusals of a file that can be mended by saying how it is written.
_MENDED: Final = ("bad_encoding", "bad_separator")
_STATES: Final = {
    UploadState.UPLOADING: "Waits for its columns",
    UploadState.RUNNING: "Being imported",
    UploadState.FINISHED: "Finished",
    UploadState.FAILED: "Ended early",
}
#: So many bad lines stand on a page.
_BAD_LINES: Final = 100
_MOST_SUGGESTED: Final = 200
_CHOOSE: Final = "Choose a file first"


def _show(visit: Visit) -> PageAnswer:
    return _list(visit)


def _list(visit: Visit, problem: str = "") -> View:
    after = visit.query.get("after") or None
    try:
        page: ImportList = visit.call("imports.list", after=after)
    except Refusal:
        # A cursor that is none is the first page.
        after, page = None, visit.call("imports.list")
    values = {
        "imports": page.items,
        "states": _STATES,
        "problem": problem,
        "next_path": page.next and f"{_PATH}?after={page.next}",
        "first_path": after and _PATH,
    }
    return View("imports/list.html", values, HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK)


def _take(visit: Visit) -> PageAnswer:
    """Look into the file that came; one that nothing can be read from does not stay."""
    sent = visit.sent
    assert sent is not None
    if sent.kept is None:
        return _list(visit, sent.problem)
    upload_id = str(sent.kept.id)
    try:
        visit.call("imports.look", id=upload_id)
    except Refusal as refusal:
        if not _can_be_mended(refusal):
            visit.call("imports.discard", id=upload_id)
            said = refusal.message.partition(": ")[2]
            return _list(visit, mapping.in_words(said) if sent.name else _CHOOSE)
    return SeeOther(f"{_PATH}/{upload_id}")


def _can_be_mended(refusal: Refusal) -> bool:
    return refusal.code in _MENDED or "--" in refusal.message


def _import(visit: Visit) -> PageAnswer:
    """Show a file that waits with its columns, else how far its import is."""
    found = _found(visit)
    if found.state is UploadState.UPLOADING:
        return _waiting(visit, found)
    errors = (*found.errors, *found.cell_errors)
    first = _number(visit.query.get("from"))
    here = f"{_PATH}/{found.id}"
    values = {
        "found": found,
        "state": _STATES[found.state],
        "refused": mapping.in_words(_refused(found)),
        "errors": [(each, mapping.in_words(each.message)) for each in errors[first:][:_BAD_LINES]],
        "shown": len(errors),
        "next_path": f"{here}?from={first + _BAD_LINES}" if errors[first + _BAD_LINES :] else None,
        "first_path": here if first else None,
    }
    return View("imports/progress.html", values)


def _refused(found: Upload) -> str:
    """Return why the rest of a file could not be read."""
    return str(found.refused.get("message", "")) if isinstance(found.refused, dict) else ""


def _found(visit: Visit) -> Upload:
    found: Upload = visit.call("imports.show", id=visit.path("import"))
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len("10000") else 0


def _waiting(
    visit: Visit,
    found: Upload,
    form: Form | None = None,
    faults: Faults = NO_FAULTS,
    **more: Any,
) -> View:
    """Show the columns of a file that waits, to whoever may start its import."""
    if not visit.may("imports.start"):
        return View("imports/waits.html", {"found": found})
    look: Look | None = None
    given = Form() if form is None else form
    how = {name: given.get(name) or None for name in ("encoding", "separator")}
    try:
        look = visit.call("imports.look", id=str(found.id), **how)
    except Refusal as refusal:
        name = "encoding" if "encoding" in refusal.message else "separator"
        problem = mapping.in_words(refusal.message.partition(": ")[2])
        faults = Faults({name: problem, **faults.of_inputs}, faults.others)
    columns = () if look is None else look.columns
    values = {
        "found": found,
        "look": look,
        "columns": mapping.columns_on_page(columns, form),
        "left_out": max(len(columns) - mapping.MOST_COLUMNS, 0),
        "form": given,
        "faults": faults,
        "labels": mapping.LABELS,
        "fields": mapping.FIELDS,
        "dated": mapping.DATED,
        "types": mapping.TYPES,
        "encodings": mapping.ENCODINGS,
        "separators": mapping.SEPARATORS,
        "customs": _customs(visit),
        "lists": visit.call("lists.list").items[:_MOST_SUGGESTED],
        "trial": None,
        **more,
    }
    return View("imports/columns.html", values, HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK)


def _customs(visit: Visit) -> list[str]:
    """Return the names of custom fields that there are, to be suggested."""
    prefix = "custom:"
    names = (str(each.field) for each in visit.call("fields.names"))
    found = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return found[:_MOST_SUGGESTED]


def _act(visit: Visit) -> PageAnswer:
    """Do what the button says: read the file again, try its import, or start it."""
    found, form = _found(visit), visit.form
    if found.state is not UploadState.UPLOADING:
        return SeeOther(f"{_PATH}/{found.id}")
    act = form.get("do")
    if act not in ("try", "start"):
        return _waiting(visit, found, form)
    said = mapping.read(form)
    if said.faults:
        return _waiting(visit, found, form, said.faults, labels=said.labels)
    call = {"id": str(found.id), "options": said.options.model_dump(mode="json")}
    try:
        return _try(visit, found, call) if act == "try" else _start(visit, found, call)
    except Refusal as refusal:
        if refusal.code == "import_started":
            return SeeOther(f"{_PATH}/{found.id}")
        faults = Faults(others=(mapping.in_words(refusal.message),))
        return _waiting(visit, found, form, faults, labels=said.labels)


def _try(visit: Visit, found: Upload, call: Mapping[str, Any]) -> PageAnswer:
    trial = visit.call("imports.try", **call)
    errors = [(each, mapping.in_words(each.message)) for each in trial.errors]
    return _waiting(visit, found, visit.form, trial=trial, errors=errors)


def _start(visit: Visit, found: Upload, call: Mapping[str, Any]) -> PageAnswer:
    visit.call("imports.start", **call)
    # Without a broker the tick finds the import.
    with suppress(Problem):
        visit.hand_over(RUN, id=str(found.id))
    return SeeOther(f"{_PATH}/{found.id}")


def _discard(visit: Visit) -> PageAnswer:
    visit.call("imports.discard", id=visit.path("import"))
    return SeeOther(_PATH)


PAGES: Final = (
    Page("GET", _PATH, _show),
    Page("POST", _PATH, _take, Role.EDITOR, takes_file=True),
    Page("GET", "/imports/{import}", _import),
    Page("POST", "/imports/{import}", _act, Role.EDITOR),
    Page("POST", "/imports/{import}/discard", _discard, Role.EDITOR),
)
