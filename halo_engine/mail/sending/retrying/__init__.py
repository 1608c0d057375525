"""Send failed emails again, when an operator asks for it (contract §5, §9)."""
