"""`halo series`, `halo explain`, `halo test`, `halo fields`: work on series."""
