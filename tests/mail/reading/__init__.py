"""Reading raw mails."""
