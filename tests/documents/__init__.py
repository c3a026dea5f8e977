"""The documents: their commands are run, and the messages that they quote are looked up in the sources."""
