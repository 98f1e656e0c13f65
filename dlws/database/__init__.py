"""The cluster's database: its tables, users, permissions, virtual clusters and backups."""
