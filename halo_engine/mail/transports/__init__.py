"""Hand over a message: by SMTP, into a folder, or into a list (contract §9)."""
