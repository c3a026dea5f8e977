"""Runs the real Airflow: its operators, its executor, and the executor's watcher.

Only the length of Airflow's pauses is changed (`pauses.py`). Everything else is Airflow's own code.
"""
