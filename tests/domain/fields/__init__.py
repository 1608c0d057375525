"""Fields, filters, expressions and merge fields."""
