"""The panel: pages for people, on the doors' own functions (contract §17)."""
