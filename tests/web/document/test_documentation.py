"""`/openapi.json` and `/docs`: the document, and the pages that show it (contract §12)."""

import json

from tests.web.conftest import Web


def test_the_document_describes_every_route_that_a_key_opens(web: Web) -> None:
    """The document is OpenAPI 3.1, describes every route that a key opens, and needs no key."""
    answer = web.ask("GET", "/openapi.json")
    document = json.loads(answer.body)
    assert (answer.status, document["openapi"]) == (200, "3.1.0")
    activate = document["paths"]["/api/series/{series}/activate"]["post"]
    assert activate["operationId"] == "series.activate"
    assert activate["security"] == [{"operator key": []}]
    assert "Idempotency-Key" in [each["name"] for each in activate["parameters"]]


def test_the_document_describes_the_hooks(web: Web) -> None:
    """Hooks are described with their signature's headers as parameters."""
    paths = json.loads(web.ask("GET", "/openapi.json").body)["paths"]
    hooks = {path: each["post"] for path, each in paths.items() if path.startswith("/api/hooks/")}
    named = {
        path: [parameter["name"] for parameter in hook["parameters"]]
        for path, hook in hooks.items()
    }
    assert named == {
        "/api/hooks/stripe/{org}": ["org", "Stripe-Signature"],
        "/api/hooks/mail": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    }
    assert {tuple(hook["security"]) for hook in hooks.values()} == {()}


def test_the_pages_load_our_own_files_alone(web: Web) -> None:
    """Pages load our own files alone, hold no inline script, and cannot be framed."""
    page = web.ask("GET", "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert b"<script>" not in page.body
    assert b"://" not in page.body
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/docs/{name}".encode() in page.body
        assert web.ask("GET", f"/docs/{name}").status == 200
