"""Define what several kinds of tests need."""
