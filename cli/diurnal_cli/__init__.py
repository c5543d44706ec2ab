"""The command line: run, plan, validate, import, report."""
