"""The log: what it may say, and how a line of it is made."""
