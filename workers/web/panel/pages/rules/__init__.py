"""The page of a series and its rules panel: Entry, Goal, Exit, cards, saving (contract §17)."""
