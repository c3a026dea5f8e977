"""The policies for Kyverno, judged by Kyverno's own engines."""
