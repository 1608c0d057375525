"""What the model reads: values, instants, fields, filters, definitions."""
