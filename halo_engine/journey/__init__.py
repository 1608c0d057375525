"""Walking a series: due rows, the facts that decide them, and writing the decisions down."""
