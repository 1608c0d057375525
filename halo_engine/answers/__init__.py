"""Answers to "why": preview, diagnose, explain, ledger and funnel, which write nothing (§10)."""
