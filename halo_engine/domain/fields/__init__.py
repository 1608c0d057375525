"""Fields, and what names them: filters, expressions, merge fields (contract §3)."""
