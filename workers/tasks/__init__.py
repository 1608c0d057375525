"""Every task: what beat and doorbells send, what applications call, what operators call.

A task is a few lines around a function of the engine; refusals come back as data.
"""
