"""The words and rules of the contract as plain Python and Pydantic: no I/O, no SQL, no clock."""
