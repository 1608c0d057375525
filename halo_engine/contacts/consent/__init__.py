"""Who is on which list, who gets no mail, and what is erased (contract §2, §3)."""
