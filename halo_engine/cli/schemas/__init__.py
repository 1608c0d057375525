"""`halo schema`: JSON Schemas of calls, series and scenario files."""
