"""The OpenAPI document: what it says, and whether the server keeps to it."""
