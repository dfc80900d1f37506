"""`make bench`: what the transport carries and what it costs; run on demand, never by the tests."""
