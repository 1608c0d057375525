"""Whatever is thrown at the doors (contract §2, §11)."""
