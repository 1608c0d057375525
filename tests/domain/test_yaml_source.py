"""Faults in YAML files: each has its place, in our words (§11)."""

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from halo_engine.domain.errors import Fault, Refusal
from halo_engine.domain.yaml_files import source as yaml_source
from halo_engine.domain.yaml_files import wording as yaml_wording
from halo_engine.domain.yaml_files.core import load_yaml, node_tree
from halo_engine.domain.yaml_files.source import YamlSource
from halo_engine.series.files.reading import read_series_file


def refused(folder: Path, text: str) -> Refusal:
    """Return how a series file of this text is refused."""
    file = folder / "s.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    with pytest.raises(Refusal) as caught:
        read_series_file(file)
    return caught.value


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    """All faults are listed with line and column, in the order of the file."""
    refusal = refused(
        tmp_path,
        """\
        series:
          welcome:
            entry_triger: user_created
            kind: newsletter
            audience_filters:
              - {field: plann, operator: is, value: pro}
              - {field: mrr, operator: contains, value: 1}
            steps:
              - key: hello there
                email: {subject: "Hi {{ nme }}", body: "{{ name"}
              - {key: late, delay: 3x}
          no key:
            entry_trigger: manual
          other:
            name: Other
        version: 2
        """,
    )
    assert [(each["line"], each["column"]) for each in refusal.faults] == [
        (3, 5),
        (4, 11),
        (6, 9),
        (7, 9),
        (9, 14),
        (10, 26),
        (10, 48),
        (11, 28),
        (13, 5),
        (15, 5),
        (16, 1),
    ]
    said = [line.removeprefix(f"{tmp_path}/s.yaml, line ") for line in str(refusal).splitlines()]
    beginnings = [
        "3, column 5: series.welcome.entry_triger: unknown key (did you mean ‘entry_trigger’?); ",
        "4, column 11: series.welcome.kind: ‘newsletter’ is refused; allowed are transactional, ",
        "6, column 9: series.welcome.audience_filters[0]: field: ‘plann’ is unknown (did you mean ",
        "7, column 9: series.welcome.audience_filters[1]: mrr: operator contains is not one of a ",
        "9, column 14: series.welcome.steps[0].key: ‘hello there’ is not a key; allowed are lett",
        "10, column 26: series.welcome.steps[0].email.subject: ‘nme’ is unknown (did you mean ",
        "10, column 48: series.welcome.steps[0].email.body: ‘{{ name’ is not a merge field; ",
        "11, column 28: series.welcome.steps[1].delay: ‘3x’ is not a duration; allowed are a num",
        "13, column 5: series.no key: ‘no key’ is not a key; allowed are letters, digits, ",
        "15, column 5: series.other.entry_trigger: is required",
        "16, column 1: version: unknown key; allowed is series",
    ]
    assert len(said) == len(beginnings)
    for line, begins in zip(said, beginnings, strict=True):
        assert line.startswith(begins)


def test_a_fault_inside_groups_and_at_a_key_given_twice_has_its_own_place(tmp_path: Path) -> None:
    """A filter in a group, a bad choice and a repeated step key each have their own place."""
    refusal = refused(
        tmp_path,
        """\
        series:
          s:
            entry_trigger: manual
            audience_type: segment
            audience_filters:
              - - {field: plan, operator: is, value: pro}
                - {field: renewal_status, operator: is, value: up for renewal}
            settings:
              exit_filters: [{field: contract_term, operator: is_not, value: yearly}]
        """,
    )
    assert str(refusal).splitlines() == [
        (
            f"{tmp_path}/s.yaml, line 7, column 56: series.s.audience_filters[0][1].value: "
            "renewal_status is: ‘up for renewal’ is none of its values (did you mean "
            "‘up_for_renewal’?); allowed are up_for_renewal, in_progress, likely_to_renew, "
            "expansion_opportunity, set_to_cancel, set_to_cancel_trial, at_risk, renewed, lost"
        ),
        (
            f"{tmp_path}/s.yaml, line 9, column 70: series.s.settings.exit_filters[0][0].value: "
            "contract_term is_not: ‘yearly’ is none of its values; allowed are monthly, quarterly, "
            "annual, bi_annual"
        ),
    ]
    twice = refused(
        tmp_path,
        """\
        series:
          s:
            entry_trigger: manual
            steps:
              - {key: a, email: {subject: A, body: A}}
              - {key: a, email: {subject: A, body: A}}
        """,
    )
    assert str(twice) == (
        f"{tmp_path}/s.yaml, line 6, column 15: series.s.steps[1].key: the key a is used twice; "
        "allowed is once"
    )


def test_a_gate_on_a_value_outside_the_list_is_refused(tmp_path: Path) -> None:
    """An expression's value is checked against the list, as a filter's is."""
    refusal = refused(
        tmp_path,
        """\
        series:
          s:
            entry_trigger: manual
            steps:
              - {key: a, condition: {type: user_property, value: contact_type = customer}}
        """,
    )
    assert str(refusal).endswith(
        "line 5, column 58: series.s.steps[0].condition.value: contact_type is: ‘customer’ is "
        "none of its values (did you mean ‘user’?); allowed are user, lead"
    )


def test_no_more_than_fifty_faults_are_printed(tmp_path: Path) -> None:
    """For a file with very many faults, the rest is counted."""
    keys = "\n".join(f"  s{n}: {{}}" for n in range(60))
    lines = str(refused(tmp_path, f"series:\n{keys}\n")).splitlines()
    assert len(lines) == 51
    assert lines[-1] == f"{tmp_path}/s.yaml: and 10 more"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {{ name }}", 'column 5: a key is not text; quote the value: a: "{{ name }}"'),
        (
            "a: {{ name }} welcome",
            (
                "column 15: this does not belong to what stands before it; "
                'quote the value: a: "{{ name }} welcome"'
            ),
        ),
        (
            "a: Hi {{ name }}: welcome",
            (
                "column 17: a colon stands where no key can begin; "
                'quote the value: a: "Hi {{ name }}: welcome"'
            ),
        ),
        (
            "s: [{key: k, email: {subject: Hi {{ name|there }}, body: x}}]",
            (
                "column 34: in braces a comma or ‘}’ is missing; quote the value: "
                's: [{key: k, email: {subject: "Hi {{ name|there }}", body: x}}]'
            ),
        ),
        ("s: {subject: {{ name }}}", 'a key is not text; quote the value: s: {subject: "{{ name'),
        (
            "a: Welcome: start here",
            'a colon stands where no key can begin; quote the value: a: "Welcome: start here"',
        ),
        ("- a: *|FNAME|* hi", 'need a name after them; quote the value: - a: "*|FNAME|* hi"'),
        ("a: %recipient.name% hi", 'with this character; quote the value: a: "%recipient.name% '),
        ("a: {% if a %}b{% endif %}", 'quote the value: a: "{% if a %}b{% endif %}"'),
        ("a: [Test] hello", 'quote the value: a: "[Test] hello"'),
        ('a: Say "hi": now', "quote the value: a: 'Say \"hi\": now'"),
        ("a: *x", '‘*’ names an anchor that there is not; quote the value: a: "*x"'),
    ],
)
def test_a_value_that_needs_quotes_is_shown_with_them(text: str, said: str) -> None:
    """The message shows the line with quotes, which can be read."""
    with pytest.raises(Refusal) as caught:
        load_yaml(text, "file")
    assert said in str(caught.value)
    mended = str(caught.value).partition("quote the value: ")[2]
    assert load_yaml(mended, "file") is not None


def test_a_long_file_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a long file the error is reported, but no correction is tried."""
    monkeypatch.setattr(yaml_wording, "LONGEST_FILE", 20)
    with pytest.raises(Refusal, match=r"line 1, column 19: a colon stands .*; allowed is YAML"):
        load_yaml("subject: A welcome: hi\n", "file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: [", "line 1, column 5: a value is missing; allowed is YAML 1.2"),
        ('x: "abc', "line 1, column 8: a quote is not closed; allowed is YAML 1.2"),
        ("x:\n\t- a", "line 2, column 1: a tab cannot indent; use spaces; allowed is YAML 1.2"),
        ("a: 1\na: 2", "line 2, column 1: the key a is given twice; allowed is YAML 1.2"),
        ("a: {b: c", "line 1, column 9: in braces a comma or ‘}’ is missing; allowed is YAML 1.2"),
        ("a: 1\nb: \x01", "line 2, column 4: the text holds a control character; allowed is YAML"),
        ("--- a\n--- b", "line 2, column 1: the file holds several documents; one is read; "),
    ],
)
def test_what_quotes_do_not_mend_is_said_alone(text: str, said: str) -> None:
    """An error that quotes would not fix is reported without that advice, in our words."""
    with pytest.raises(Refusal) as caught:
        load_yaml(text, "file")
    assert str(caught.value).startswith(f"file, {said}")


def test_each_object_of_a_file_is_indexed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placing a fault does not compare all keys of its object, even if every key is wrong."""
    looks = 0

    class Text(str):
        """A key that counts how often it is compared."""

        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    text = "".join(f"key{n}: 1\n" for n in range(300))
    tree = node_tree(text)
    assert isinstance(tree, yaml.MappingNode)
    for key, _ in tree.value:
        key.value = Text(key.value)
    monkeypatch.setattr(yaml_source, "node_tree", lambda _: tree)
    faults = [Fault((f"key{n}",), "is unknown", "unknown_key") for n in reversed(range(300))]
    refusal = YamlSource("file", text, None).refusal(faults)
    assert [each["line"] for each in refusal.faults] == list(range(1, 51))
    assert looks < 1_000
