"""What the real Airflow runs against here: an API server, and a kubelet whose containers are processes.

The law of this package: whatever Airflow knows, its own code has asked for over HTTP. Of Airflow nothing is replaced but the
length of its pauses.
"""
