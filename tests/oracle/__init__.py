"""A second reading of docs/meaning.md, written apart from the matcher: slow, obvious, and only for tests."""
