#!/usr/bin/env bash
# css-inline 0.24.0 does not read the attribute `media` of a <style>: it puts the rules of
# <style media="print"> into the elements' style attributes, where they hold on every screen. The same
# rules within @media print { … } stay in the <style>, as they should. So `domain/html_mail/styles.py`
# turns such a <style> into one with an @media rule before it inlines.
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check css-inline==0.24.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from css_inline import CSSInliner

inliner = CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)


def inlined(style):
    """Return whether a page's paragraph gets the colour of a style sheet for print."""
    page = f"<html><head>{style}</head><body><p>Hi</p></body></html>"
    return '<p style="color: red;">' in inliner.inline(page)


attribute = inlined('<style media="print">p{color:red}</style>')
rule = inlined("<style>@media print{p{color:red}}</style>")
print("css-inline", version("css-inline"))
print("expected: rules for print are not put at elements, however they are marked as such")
print("seen: put there with media=print:", attribute, "- with @media print:", rule)
sys.exit(0 if (attribute, rule) == (True, False) else 1)
PYTHON
