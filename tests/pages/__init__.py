"""The documentation: its snippets are run, its references are made, its site is built."""
