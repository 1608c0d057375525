"""The main job on real servers with a real worker and a real beat."""
