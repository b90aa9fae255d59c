"""The instruments: the command line, measuring, statistics and reports."""
