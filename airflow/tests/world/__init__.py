"""What the real Airflow runs against here: an API server, and a kubelet whose containers are processes.

The law of this package: whatever Airflow is judged by, it was told by its own code over HTTP; nothing of Airflow's is replaced, but
for the length of its pauses.
"""
