"""`halo org`: making the organisation that everything else needs."""

import re

import pytest

from tests.cli.console import Console

FACTS = """\
key                    acme
name                   acme
widget key             ab_live_KEY
time zone              UTC
identity verification  off
MRR mode               manual
Stripe connected       no
Stripe's hook          off
verified domain        no
footer                 -
re-evaluated           */15 * * * *
"""


def test_create_needs_nothing_but_a_key(bare: Console) -> None:
    """The organisation gets default settings and a widget key that cannot be guessed."""
    printed = bare("org", "create", "acme")
    assert re.sub(r"ab_live_[\w-]{24}\n", "ab_live_KEY\n", printed) == FACTS
    other = bare.json("org", "create", "other")
    assert other["widget_key"] != bare.json("org", "show", "acme")["widget_key"]


def test_create_with_everything(bare: Console) -> None:
    """Every setting can be given."""
    secret = "a secret of no less than 32 bytes"
    made = bare.json(
        *("org", "create", "acme", "--name", "Acme Inc", "--timezone", "Europe/Berlin"),
        *("--mrr-mode", "stripe", "--stripe-connected", "--verified-domain"),
        *("--footer", "Acme Inc, 1 Main St", "--cron", "0 * * * *", "--identity-secret", secret),
        *("--from-name", "Zoë at Acme", "--from-address", "zoe@acme.example.com"),
        *("--reply-to", "help@acme.example.com", "--bounce-domain", "bounces.acme.example.com"),
        *("--quiet-hours", "21:00-08:00 contact", "--caps", "2/24h 5/7d"),
        *("--keep", "events=400d audit=forever"),
    )
    keeps = made.pop("keeps")
    assert (keeps["events"], keeps["audit"], keeps["steps"]) == ("400d", "forever", "366d")
    for generated in ("id", "widget_key", "created_at", "reevaluated_at"):
        assert made.pop(generated)
    assert made == {
        "key": "acme",
        "name": "Acme Inc",
        "timezone": "Europe/Berlin",
        "identity_secret": secret,
        "mrr_mode": "stripe",
        "stripe_connected": True,
        "verified_domain": True,
        "company_footer": "Acme Inc, 1 Main St",
        "frequency_caps": [{"at_most": 2, "within": "1d"}, {"at_most": 5, "within": "7d"}],
        "quiet_hours": {"from": "21:00", "to": "08:00", "timezone": "contact"},
        "mail_from_name": "Zoë at Acme",
        "mail_from_address": "zoe@acme.example.com",
        "mail_reply_to": "help@acme.example.com",
        "mail_bounce_domain": "bounces.acme.example.com",
        "old_widget_key": None,
        "stripe_endpoint_secret": None,
        "old_stripe_endpoint_secret": None,
        "reevaluate_cron": "0 * * * *",
    }


def test_change_leaves_what_is_not_given(bare: Console) -> None:
    """Changing one setting keeps the others."""
    bare("org", "create", "acme", "--verified-domain", "--footer", "Acme Inc")
    changed = bare.json("org", "change", "acme", "--timezone", "Asia/Kolkata")
    assert (changed["timezone"], changed["verified_domain"], changed["company_footer"]) == (
        "Asia/Kolkata",
        True,
        "Acme Inc",
    )
    assert bare.json("org", "change", "acme", "--no-verified-domain")["verified_domain"] is False


def test_what_is_kept_is_changed_history_by_history(bare: Console) -> None:
    """What is not named stays; a wrong one is refused by the option's name."""
    bare("org", "create", "acme", "--keep", "events=400d")
    changed = bare.json("org", "change", "acme", "--keep", "audit=40d")["keeps"]
    assert (changed["events"], changed["audit"]) == ("400d", "40d")
    assert "keeps                  events=400d audit=40d" in bare("org", "show", "acme")
    said = bare("org", "change", "acme", "--keep", "events", status=1)
    assert "org: --keep: ‘events’ does not say how long" in said
    said = bare("org", "change", "acme", "--keep", "events=3d", status=1)
    assert "‘3d’ is too short; allowed are 31d and longer, or forever" in said
    capped = ("--keep", "mails=92d", "--caps", "1/93d")
    said = bare("org", "create", "other", *capped, status=1)
    assert "keeps.mails: ‘92d’ is too short: frequency caps count mails of the last 93d" in said


def test_secret_is_shown_when_it_is_made_and_when_it_is_asked_for(bare: Console) -> None:
    """A new identity secret is shown once; later only with `--secret`."""
    made = bare.json("org", "create", "acme", "--identity-verification")
    assert len(made["identity_secret"]) >= 32
    assert bare.json("org", "show", "acme")["identity_secret"] == "***"
    assert bare.json("org", "list")[0]["identity_secret"] == "***"
    assert made["identity_secret"] not in bare("org", "show", "acme")
    assert made["identity_secret"] in bare("org", "show", "acme", "--secret")
    off = bare.json("org", "change", "acme", "--no-identity-verification")
    assert off["identity_secret"] is None


def test_stripes_secret_is_replaced_while_the_old_one_works(bare: Console) -> None:
    """The secret is never shown; a third one is refused until the first is ended."""
    bare("org", "create", "acme")
    assert "Stripe's hook          on\n" in bare("org", "stripe-secret", "acme", "whsec_first")
    bare("org", "stripe-secret", "acme", "-", stdin="whsec_second\n")
    made = bare.json("org", "show", "acme")
    assert (made["stripe_endpoint_secret"], made["old_stripe_endpoint_secret"]) == ("***", "***")
    assert bare.json("org", "show", "acme", "--secret") == made
    said = "Error: The Stripe secret before this one of ‘acme’ is in force still; revoke it first."
    assert bare("org", "stripe-secret", "acme", "whsec_third", status=1) == f"{said}\n"
    assert "on, by the old secret too" in bare("org", "stripe-secret", "acme", "whsec_second")
    assert "Stripe's hook          on\n" in bare("org", "stripe-secret", "acme", "--revoke-old")
    assert "Stripe's hook          off" in bare("org", "stripe-secret", "acme", "--off")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["--timezone", "Mars"],
            (
                "org: timezone: ‘Mars’ is not a time zone; allowed are IANA names such as "
                "Europe/Berlin"
            ),
        ),
        (
            ["--cron", "often"],
            (
                "org: --cron: ‘often’ is not a cron expression; allowed are five fields "
                "(minute, hour, day, month, weekday) such as */15 * * * *, without H and R"
            ),
        ),
        (
            ["--identity-secret", "short"],
            "org: identity_secret: is too short; allowed are 32 bytes or more",
        ),
    ],
)
def test_create_refuses_what_is_not_sound(bare: Console, given: list[str], said: str) -> None:
    """An invalid setting is refused in one line, and no organisation is created."""
    assert bare("org", "create", "acme", *given, status=1) == f"Error: {said}\n"
    assert bare.json("org", "list") == []


def test_create_refuses_a_key_twice_and_a_key_that_is_none(bare: Console) -> None:
    """An organisation's key is unique and must be a word."""
    bare("org", "create", "acme")
    said = "Error: There is an organisation ‘acme’ already.\n"
    assert bare("org", "create", "acme", status=1) == said
    assert bare.json("org", "create", "a b", status=1)["refused"]["code"] == "bad_key"


def test_list_names_every_organisation(bare: Console) -> None:
    """The list has a line for each, by key."""
    for key in ("beta", "acme"):
        bare("org", "create", key)
    lines = bare("org", "list").splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["key", "name", "timezone"],
        ["acme", "acme", "UTC"],
        ["beta", "beta", "UTC"],
    ]


def test_organisation_is_chosen(bare: Console) -> None:
    """The organisation is that of `--org`, else of HALO_ORG, else the only one there is."""
    said = "Error: There is no organisation yet; make one with `halo org create KEY`.\n"
    assert bare("list", "list", status=1) == said
    bare("org", "create", "acme")
    bare("list", "create", "news")
    [listed] = bare.json("list", "list")
    assert (listed["list"], listed["subscribers"]) == ("news", 0)
    bare("org", "create", "beta")
    said = "Error: org: there are several; name one by --org or HALO_ORG: acme, beta\n"
    assert bare("list", "list", status=1) == said
    assert bare.json("list", "list", "--org", "beta") == []
    assert bare("list", "list", HALO_ORG="acme").splitlines()[1].startswith("news ")
    said = "Error: There is no organisation ‘gamma’.\n"
    assert bare("list", "list", "--org", "gamma", status=1) == said


def test_refusal_for_programs(bare: Console) -> None:
    """With `--json` a refusal is data, as a task answers it."""
    assert bare.json("org", "show", "acme", status=1) == {
        "refused": {
            "status": 404,
            "code": "unknown_organisation",
            "message": "There is no organisation ‘acme’.",
        }
    }


def test_database_that_is_not_migrated(empty_database: str, bare: Console) -> None:
    """One line says that tables are missing and what to run."""
    said = bare("org", "list", status=1, HALO_DATABASE_URL=empty_database)
    assert said == "Error: The database's schema is not this version's: run `halo migrate`.\n"


def test_quiet_hours_that_are_none_are_refused_by_the_option(bare: Console) -> None:
    """The error names the option and what is allowed; `off` switches them off."""
    bare.json("org", "create", "acme", "--quiet-hours", "21:00-08:00")
    refused = bare("org", "change", "acme", "--quiet-hours", "late", status=1)
    assert "org: --quiet-hours: ‘late’ are no quiet hours; allowed are hours such as" in refused
    changed = bare.json("org", "change", "acme", "--quiet-hours", "off")
    assert (changed["quiet_hours"], changed["breaks"]) == (None, [])


def test_caps_that_are_none_are_refused_by_the_option(bare: Console) -> None:
    """The error names the option and what is allowed; `show` writes caps as they are typed."""
    bare("org", "create", "acme", "--caps", "2/24h 5/7d")
    assert re.search(r"^caps +2/1d 5/7d$", bare("org", "show", "acme"), re.MULTILINE)
    refused = bare("org", "change", "acme", "--caps", "many", status=1)
    assert "org: --caps: ‘many’ are no caps; allowed are caps such as 2/24h 5/7d, or off" in refused
    assert bare.json("org", "change", "acme", "--caps", "off")["frequency_caps"] is None
