"""Every task: those of beat and doorbells, those of applications, those of operators.

A task is a few lines around a function of the engine; refusals come back as data.
"""
