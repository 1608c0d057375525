"""The pages of imports: files that are sent, mapped, imported (contract §17)."""
