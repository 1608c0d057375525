"""`halo contacts`, `halo list`, `halo identify`, `halo track`: work on contacts."""
