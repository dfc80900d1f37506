"""The whole platform in one process with a sample day: for a first look and for tests, never for production."""
