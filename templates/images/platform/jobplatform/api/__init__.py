"""The API: /api/v1, and the predecessor's paths. It speaks with the database and nothing else."""
