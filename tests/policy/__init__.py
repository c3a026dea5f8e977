"""The MutatingAdmissionPolicy, in the API server's own admission plugin."""
