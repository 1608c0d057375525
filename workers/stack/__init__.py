"""A whole stack on one machine: embedded PostgreSQL and Valkey, worker and beat processes."""
