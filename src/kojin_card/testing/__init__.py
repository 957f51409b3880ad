"""For other people's tests: documents to sign and to judge, free of the rest of the test suite."""
