"""`make bench`: what the product carries and what it costs; run on demand, never by the tests."""
