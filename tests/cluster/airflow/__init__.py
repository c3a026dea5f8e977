"""--airflow: the rows of docs/airflow-matrix.md, with the real operators of Airflow and pods of the cluster."""
