"""The shell at the host's terminal: the machine that it runs on, line editing, and the lesson."""
