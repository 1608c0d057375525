"""Update many users and import files, as a backend and an operator do."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from halo_engine.contacts.calls import Call
from halo_engine.contacts.csv_import.text import open_csv, undecoded
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.pipeline.batches.import_csv import ImportOrTryCall, import_or_try
from halo_engine.pipeline.batches.update_users import UpdateOrTryCall, update_or_try
from halo_engine.rehearsal.actions.doors import mapping_of, token_of
from halo_engine.rehearsal.sandbox import Sandbox


class _File(Call):
    file: str


def update(sandbox: Sandbox, value: Any) -> str | None:
    """Update a batch of users, signed like a backend; an ``expect`` may stand beside it."""
    given = mapping_of(value, "update")
    expected = given.pop("expect", None)
    claims = given.pop("user_token_claims", {"scope": "users.update"})
    token = token_of(sandbox, claims, timedelta(minutes=5))
    call = validated(UpdateOrTryCall, {**given, "user_token": token}, "update")
    answer = sandbox.perform(lambda work: update_or_try(work, call)).model_dump(mode="json")
    sandbox.answer = {**answer, "errors": [error["index"] for error in answer["errors"]]}
    return _unlike(_as_asked(sandbox, expected, "update"), expected, "update")


def import_file(sandbox: Sandbox, value: Any) -> str | None:
    """Import CSV text or a file; an ``expect`` may stand beside it."""
    given = mapping_of(value, "import_csv")
    expected = given.pop("expect", None)
    if "file" in given:
        if "text" in given:
            raise bad_input("import_csv", "has a text and a file; allowed is one of them")
        file = validated(_File, {"file": given.pop("file")}, "import_csv").file
        given["text"] = _text_of(sandbox, file)
    call = validated(ImportOrTryCall, given, "import_csv")
    answer = sandbox.perform(lambda work: import_or_try(work, call)).model_dump(mode="json")
    sandbox.answer = {**answer, "errors": [error["line"] for error in answer["errors"]]}
    return _unlike(_as_asked(sandbox, expected, "import_csv"), expected, "import_csv")


def _as_asked(sandbox: Sandbox, expected: Any, action: str) -> Mapping[str, Any]:
    """Return the last answer; for a dry run, add 0 for expected series that nobody enters."""
    answer: Mapping[str, Any] = sandbox.answer
    asked = expected.get("starts") if isinstance(expected, Mapping) else None
    if "starts" not in answer or not isinstance(asked, Mapping):
        return answer
    for key in asked:
        if key not in sandbox.definitions:
            raise bad_input(f"{action}.expect.starts.{key}", "there is no such series")
    return {**answer, "starts": {key: answer["starts"].get(key, 0) for key in asked}}


def _text_of(sandbox: Sandbox, file: str) -> str:
    """Return a file's text, decoded as a CSV import decodes it."""
    try:
        with open_csv(sandbox.scenario.path.parent / file) as opened:
            text = opened.read()
    except (OSError, ValueError) as error:
        said = (isinstance(error, OSError) and error.strerror) or error
        raise _unreadable(file, str(said)) from None
    byte = undecoded(text)
    if byte is not None:
        raise _unreadable(file, f"byte 0x{byte:02X} is not {opened.encoding}")
    return text


def _unreadable(file: str, why: str) -> Refusal:
    problem = f"{shown(file)} cannot be read; allowed is a file of UTF-8 or UTF-16 text ({why})"
    return bad_input("import_csv.file", problem)


def _unlike(answer: Mapping[str, Any], expected: Any, action: str) -> str | None:
    if expected is None:
        return None
    wanted = mapping_of(expected, f"{action}.expect")
    for key in wanted:
        if key not in answer:
            raise bad_input(
                f"{action}.expect.{key}", f"unknown key; allowed are {', '.join(answer)}"
            )
    seen = {key: answer[key] for key in wanted}
    return None if seen == wanted else f"expected {wanted}, but it is {seen}"
