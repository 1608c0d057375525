"""The links of mails: what answers them, their pages, and what is noted of them (contract §16)."""
