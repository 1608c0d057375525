"""The OpenAPI document is true: Schemathesis calls a running server by it (contract §12)."""

import subprocess
import sys
from pathlib import Path

import pytest

from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.work import OrgRef
from tests.clients.sending import basic
from tests.pipeline.sandbox import Sandbox
from tests.web.conftest import Web
from tests.web.test_applications import key_of

#: What would end the run: an erased organisation, or a key that is revoked.
_ENDS_IT = ("organizations.erase", "keys.revoke")
_APPLICATIONS = "^/api/sdk/"
#: Of other products' clients, one path of each kind.
_CLIENTS = "^/v1/(identify|track|group|page|alias|batch)$"
_CUSTOMERS = "^/api/v1/"
_NOT_OPERATORS = "^/(api/sdk|api/v1|v1)/"
#: Batches are taken although an entry is bad: their answers say which.
_BATCHES = ("contacts.sync", "stripe.sync")
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "use_after_free",
)


@pytest.fixture(scope="module")
def org(web: Web) -> OrgRef:
    """An organisation whose every route is called."""
    return web.organization()


@pytest.fixture(scope="module")
def key(web: Web, org: OrgRef) -> str:
    """The key of a program that may everything."""
    call = CreateKeyCall(role=Role.ADMIN)
    return Sandbox(web.database, org).perform(lambda work: create_key(work, call)).key


def _call(web: Web, proof: str, folder: Path, *options: str, examples: int) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{web.url}/openapi.json"),
        *("--header", f"Authorization: {proof}", "--checks", ",".join(_CHECKS)),
        *("--phases", "coverage,fuzzing,stateful", "--max-examples", str(examples)),
        *("--suppress-health-check", "all", "--generation-database", "none"),
        *("--seed", "1", "--no-color", "--warnings", "off", *options),
        # Answers are judged, not how soon they come.
        *("--request-timeout", "120"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout


def _operate(web: Web, key: str, folder: Path, examples: int) -> None:
    excluded = [f"--exclude-operation-id={name}" for name in (*_ENDS_IT, *_BATCHES)]
    options = ("--exclude-path-regex", _NOT_OPERATORS, *excluded)
    _call(web, f"Bearer {key}", folder, *options, examples=examples)
    batches = [f"--include-operation-id={name}" for name in _BATCHES]
    _call(
        web,
        f"Bearer {key}",
        folder,
        *batches,
        "--exclude-checks=negative_data_rejection",
        examples=examples,
    )


def test_operators_are_answered_as_the_document_says(web: Web, key: str, tmp_path: Path) -> None:
    """Every answer has a status, type and schema of the document, and none is a 500: at each
    parameter's bounds, and in chains of calls.
    """
    _operate(web, key, tmp_path, 2)


def test_applications_are_answered_as_the_document_says(
    web: Web, org: OrgRef, tmp_path: Path
) -> None:
    """Calls by the widget key are answered as the document says."""
    options = ("--include-path-regex", _APPLICATIONS)
    _call(web, f"Bearer {org.widget_key}", tmp_path, *options, examples=6)


def test_clients_are_answered_as_the_document_says(web: Web, org: OrgRef, tmp_path: Path) -> None:
    """Messages of Segment's and calls of Customer.io's clients are answered as the document
    says.
    """
    lenient = "--exclude-checks=negative_data_rejection"
    options = ("--include-path-regex", _CLIENTS, lenient)
    _call(web, basic(str(org.widget_key)), tmp_path, *options, examples=2)
    backend = key_of(web, org, Role.INGEST)
    options = ("--include-path-regex", _CUSTOMERS, lenient)
    _call(web, basic("site", backend), tmp_path, *options, examples=2)


@pytest.mark.torture
def test_many_calls_are_answered_as_the_document_says(web: Web, key: str, tmp_path: Path) -> None:
    """Two hundred calls and chains of each operation are answered as the document says."""
    _operate(web, key, tmp_path, 200)
