"""The series automation engine: what happened and what time it is decide who is sent what."""
