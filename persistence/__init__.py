"""What has happened: tables, bulk load and save, queries, migrations."""
