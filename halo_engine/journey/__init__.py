"""Moving through a series: claim due rows, gather facts, record decisions."""
