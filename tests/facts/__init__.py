"""What the project says in more than one place is the same everywhere: facts.yaml is held against the places."""
