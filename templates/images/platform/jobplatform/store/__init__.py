"""The database: tables, migrations, and every statement that is sent."""
