"""Mail, both ways: composing, transports, sending; reading, and what incoming mail does."""
