"""What a pod of these tests consists of: real processes, or a model."""
