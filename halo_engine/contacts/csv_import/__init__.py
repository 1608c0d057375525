"""CSV files: read, mapped, imported page by page (contract §2, CSV import)."""
