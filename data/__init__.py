"""Data at rest: record, lake, histories on disk, import."""
