"""The slots of Airflow's KubernetesExecutor beside classic proxies, with and without exeunt."""
