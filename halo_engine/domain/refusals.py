"""The codes of refusals, each declared once: its statuses, and what it means (contract §11).

The message of a refusal says what is wrong and allowed in its case; these words are for the
reference. A test holds this table against the code that refuses.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One code; ``words`` say what is refused. With several statuses, the case decides.

    Statuses other than 400, 401, 404 and 409 are answered over HTTP alone.
    """

    key: str
    words: str
    statuses: tuple[int, ...]


def _code(key: str, words: str, *statuses: int) -> RefusalCode:
    return RefusalCode(key, words, statuses)


#: Of values and documents, of series and files, of calls, of keys and tokens, of what is not there,
#: of what the present state does not allow, of requests over HTTP.
REFUSALS: Final = (
    _code("bad_input", "A value that is not allowed and has no code of its own.", 400),
    _code("missing_key", "A required key is missing.", 400),
    _code(
        "unknown_key",
        "An object with a key that is not allowed; an unknown key of an operator.",
        400,
        401,
        404,
    ),
    _code("bad_cron", "A cron expression without five fields.", 400),
    _code("bad_cursor", "An `after` that is no `next` of this list.", 400),
    _code("bad_date", "A text that is no date, or could be read as several.", 400),
    _code("bad_date_format", "A date format that is not understood.", 400),
    _code("bad_duration", "A text that is no duration such as `3d`.", 400),
    _code("bad_domain", "A domain that cannot receive mail.", 400),
    _code("bad_email", "A text that is no email address.", 400),
    _code("bad_id", "An ID that is blank or too long.", 400),
    _code("bad_json", "A document that is no object, or holds a value that JSON has not.", 400),
    _code("bad_url", "A URL that webhooks may not be sent to, or of no database.", 400),
    _code("private_address", "An address that is not public, where webhooks may not go.", 400),
    _code("too_many_endpoints", "One endpoint more than an organisation may have.", 409),
    _code("unknown_endpoint", "An unknown webhook endpoint.", 404),
    _code("bad_key", "A key with characters that are not allowed in keys.", 400),
    _code("bad_name", "A name that is blank, too long, or has control characters.", 400),
    _code("bad_number", "A number that cannot be stored.", 400),
    _code(
        "bad_secret", "An identity secret that is too short; no endpoint secret of Stripe's.", 400
    ),
    _code("bad_signature", "A webhook that no secret of ours signed, or not lately.", 400),
    _code("bad_source", "The name of an integration that is taken by another source.", 400),
    _code("bad_text", "Text with characters that cannot be stored.", 400),
    _code("bad_timezone", "An unknown time zone.", 400),
    _code("bad_trait", "A trait of the wrong type, or a value that is not in its list.", 400),
    _code("reserved_trait", "A trait that only the engine writes.", 400),
    _code("too_deep", "A document with too many levels.", 400),
    _code("too_large", "A document with too many bytes; a request's body (413).", 400, 413),
    _code("too_many", "More entries or keys than a call may have.", 400),
    _code("future_timestamp", "An instant that is in the future.", 400),
    _code("bad_expression", "A text that is no `user_property` expression.", 400),
    _code(
        "bad_filter_value", "A filter's value has the wrong type, or its field cannot have it.", 400
    ),
    _code("bad_filters", "Filters that are no list of groups.", 400),
    _code("bad_merge_field", "A merge field that cannot be read.", 400),
    _code("bad_if_block", "A tag of a template that cannot be read, or has no partner.", 400),
    _code("bad_html", "HTML of an email with an element, attribute or URL that is refused.", 400),
    _code("bad_mail_header", "A header of an email that is not the author's to set.", 400),
    _code("bad_operator", "An operator that the field's type lacks.", 400),
    _code("empty_group", "A group without filters.", 400),
    _code("too_many_filters", "More filters than one setting may hold.", 400),
    _code("longer_than_kept", "A span of events, or of a cap, longer than those are kept.", 400),
    _code(
        "counted_longer",
        "Events are to be kept for less long than a series counts them, or mails than caps do.",
        409,
    ),
    _code("unknown_field", "An unknown field.", 400),
    _code("misplaced_event_property", "A property of an event where no event is at hand.", 400),
    _code("not_event_property", "Another field where a property of the event belongs.", 400),
    _code("misplaced_same", "The form `same` where no run has begun that keeps properties.", 400),
    _code("unknown_preset", "An unknown preset.", 400),
    _code("not_activatable", "A series that does not pass an activation check.", 400),
    _code("not_writable", "An email that cannot be written for the contact.", 400),
    _code("no_email", "A contact without an email address, where mail is to be sent.", 400),
    _code("no_public_url", "A list with double opt-in, where no page could confirm it.", 400),
    _code("no_email_step", "A series without an email step.", 400),
    _code("bad_series_file", "A file that holds no series.", 400),
    _code("bad_yaml", "A file that is no YAML, or uses a part of YAML that is not allowed.", 400),
    _code("no_scenario", "The files hold no scenario.", 404),
    _code("bad_encoding", "A CSV file that is not in the encoding that was named.", 400),
    _code("bad_header", "A CSV file whose header cannot be read.", 400),
    _code("bad_mapping", "A mapping of CSV columns that does not fit the file.", 400),
    _code("bad_row", "A row of a CSV file that cannot be read, or names no contact.", 400),
    _code("bad_separator", "A separator that is not allowed in CSV files.", 400),
    _code("endless_line", "A file with a line that is too long.", 400),
    _code(
        "ambiguous_organisation", "There are several organisations, and the call names none.", 400
    ),
    _code(
        "bad_idempotency_key",
        "A header `Idempotency-Key` that is no key, or differs from the body's.",
        400,
    ),
    _code("duplicate_key", "A key that one object has twice.", 400),
    _code("bad_call", "A call that names a mail in both ways, or in none.", 400),
    _code("bad_message", "A message to a task that cannot be read.", 400),
    _code("bad_token", "A link's token that is not of this installation.", 401),
    _code("bad_user_token", "A user token with a wrong signature or claim.", 401),
    _code("user_token_expired", "A user token that has expired.", 401),
    _code("user_token_required", "A call without user token, where identity is verified.", 401),
    _code(
        "identity_secret_required",
        "A call that needs an identity secret, and the organisation has none.",
        401,
    ),
    _code("unknown_widget_key", "A widget key that no organisation has.", 401),
    _code("key_required", "A call over HTTP without a valid key.", 401),
    _code("expired_key", "An operator's key that has expired.", 401),
    _code("session_required", "A page of the panel without a session, or after its end.", 401),
    _code("bad_link", "A link to sign in that was used, is too old, or is none.", 401),
    _code("revoked_key", "An operator's key that was revoked.", 401),
    _code("unknown_cell", "An unknown cell.", 404),
    _code("cell_exists", "A cell to be added whose name or database is a cell already.", 409),
    _code("cell_schema", "A database of another schema, to be added as a cell.", 409),
    _code("other_database", "Another database for a cell, which is not said to be restored.", 409),
    _code("cell_in_use", "A cell to be removed where organisations live.", 409),
    _code("cell_draining", "A new organisation for a cell that takes none.", 409),
    _code("cell_full", "A new organisation for a cell that has as many as it may.", 409),
    _code("no_open_cell", "A new organisation, while no cell takes one.", 409),
    _code(
        "cell_away",
        "A database that does not answer: to be added as a cell, or needed for a call.",
        400,
        503,
    ),
    _code("unknown_contact", "An unknown contact.", 404),
    _code("unknown_file", "An unknown file.", 404),
    _code("unknown_import", "An unknown import.", 404),
    _code("unknown_list", "An unknown list.", 404),
    _code("unknown_mail", "A mail that was never sent.", 404),
    _code("unknown_message", "A message that is not set aside.", 404),
    _code("unknown_organisation", "An unknown organisation.", 404),
    _code("unknown_parked_row", "A recipient row that is not set aside.", 404),
    _code("unknown_parked_signal", "A signal that is not set aside.", 404),
    _code("unknown_schema", "An unknown schema.", 404),
    _code("unknown_series", "An unknown series; 400 if a file names it.", 404, 400),
    _code("unknown_statement", "An unknown statement.", 404),
    _code("unknown_step", "A step that the series does not have.", 404),
    _code("unknown_version", "A version that the history of the series does not have.", 404),
    _code("no_organisation", "There is no organisation yet.", 404),
    _code("not_enrolled", "A contact that is not in the series now.", 404),
    _code("changed_meanwhile", "A save that is based on an older version of the series.", 409),
    _code(
        "more_than_expected",
        "More contacts to enroll or to erase than were expected.",
        409,
    ),
    _code("plan_outdated", "A save that is not what its plan said.", 409),
    _code("contact_exists", "A contact to be added who exists already.", 409),
    _code("expired", "An order that arrived too long after it was sent.", 409),
    _code(
        "idempotency_key_busy",
        "An idempotency key of a call that is under way; try again when that one is answered.",
        409,
    ),
    _code("idempotency_key_reused", "An idempotency key that was used with another body.", 409),
    _code("import_started", "An import that was started already.", 409),
    _code("list_exists", "A list to be added whose key is taken.", 409),
    _code("message_cut", "A message of which only the beginning is stored.", 409),
    _code("no_old_widget_key", "No old widget key works, so none can be revoked.", 409),
    _code("not_active", "A series that is not active, where it has to be.", 409),
    _code("not_draft", "A series that is no draft, where it has to be.", 409),
    _code("not_paused", "A series that is not paused, where it has to be.", 409),
    _code("not_running", "A series that is neither active nor paused.", 409),
    _code("not_sent", "A test mail that the mail server refused.", 409),
    _code("old_stripe_secret_works", "Stripe's secret before this one still works.", 409),
    _code("old_widget_key_works", "The widget key before this one still works.", 409),
    _code("all_mail_is_stopped", "A move out of a cell whose mail is stopped.", 409),
    _code("already_there", "A move to the cell where the organisation lives.", 409),
    _code("clocks_differ", "A move between servers whose clocks are far apart.", 409),
    _code("copies_differ", "A move whose copy is not what it was copied from.", 409),
    _code("mail_under_way", "A move while mail is under way that does not end.", 409),
    _code("move_not_allowed", "A move by an account that may not copy rows as they are.", 409),
    _code("move_under_way", "A move of an organisation that is being moved otherwise.", 409),
    _code("no_move", "A move to be taken back that was never begun.", 409),
    _code("schema_differs", "A move between databases whose schemas differ.", 409),
    _code("too_busy_to_move", "A move for which no moment without writers was found.", 409),
    _code("organisation_exists", "An organisation to be added whose key is taken.", 409),
    _code("outcome_unknown", "Nobody can know whether the test mail was sent.", 409),
    _code("overtaken", "An order that is older than the last change of its object.", 409),
    _code("sending_stopped", "Sending is stopped.", 409),
    _code("suppressed", "An address to which no mail may be sent.", 409),
    _code("too_many_waiting", "A call of an unknown user, while too many such calls wait.", 409),
    _code(
        "unreadable_series", "A series that another version saved and this one cannot read.", 409
    ),
    _code("bad_request", "Bytes that are no HTTP request.", 400),
    _code("bad_form", "A form that is none, or ends too early.", 400),
    _code("bad_path", "A path that cannot be read.", 400),
    _code("forbidden", "A key whose role does not allow the call.", 403),
    _code("wrong_key", "A key of another kind than the path takes.", 401, 403),
    _code("other_origin", "A change that a page of another origin asks for.", 403),
    _code("other_organization", "A form of another organisation's page.", 409),
    _code("unknown_path", "An unknown path.", 404),
    _code("bad_method", "A method that the path does not have.", 405),
    _code("keys_differ", "A `writeKey` in a body that is not the key of the header.", 400),
    _code("too_slow", "A request that came too slowly.", 408),
    _code("unsupported_type", "A body of a type that is not supported.", 415),
    _code("too_many_requests", "More requests than one caller may make; try again later.", 429),
    _code("internal_error", "A fault of the server; its log has the details.", 500),
    _code("broker_away", "The broker is away, so workers cannot be told; try again.", 503),
    _code("busy", "Too many calls are waiting; try again.", 503),
    _code(
        "database_away",
        "The database is away; try again. One to move from or to that does not answer.",
        400,
        503,
    ),
    _code("stopping", "The server is stopping; another process answers.", 503),
)
