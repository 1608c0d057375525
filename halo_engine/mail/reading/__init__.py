"""Tell what a raw mail is: reply, bounce, complaint or automatic; no I/O (contract §2)."""
