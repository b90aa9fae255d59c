"""Programs: each a function `main(process, *arguments) -> status`, one a file."""
