"""The contract of the REST interfaces, written in RAML 1.0, with what reads it, serves it and turns it into OpenAPI."""
