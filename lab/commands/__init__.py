"""The commands of `twinos`, one a module; `lab.cli` lists them."""
