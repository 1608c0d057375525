"""Requests and answers: reading fields and bodies, refusals, proxies, CORS (contract §12)."""
