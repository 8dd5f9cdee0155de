"""The service: nights by a schedule, shared by all processes that have the same database."""
