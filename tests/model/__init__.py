"""An independent plain-Python model of the contract, to compare the engine with.

It shares no code with the engine: no database, no imports from it, one contact at a time.
`tests.model.world.World` has one method per timeline action of a scenario file and one per
`expect` key; `python -m tests.model.playing.player PATH…` plays scenario files against it.
"""
