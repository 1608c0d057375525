"""What a filter looks up of a contact: how often events fired, lists, series (contract §3, §22)."""
