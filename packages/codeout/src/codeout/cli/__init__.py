"""Entry point: the command line. A command turns its options into one call and prints the result; rules live below."""
