"""Processes of their own: run by path, so that no test's interpreter can slow them down. They import nothing of ours."""
