"""CSV files become events by a mapping file: data, not code (docs/import.md)."""
