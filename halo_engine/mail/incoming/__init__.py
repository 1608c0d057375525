"""Record opens, clicks, replies, bounces and complaints (contract §2, §5, §6)."""
