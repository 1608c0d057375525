"""The doors of series: those that change them, and those that ask about them."""
