"""The names of containers in a pod, as their makers have chosen them."""

# Also the name of the agent's volume.
AGENT = "exeunt"
PROXY = "istio-proxy"
XCOM_HELPER = "airflow-xcom-sidecar"
# A constant in Spark (Constants.scala, DEFAULT_DRIVER_CONTAINER_NAME).
SPARK_DRIVER = "spark-kubernetes-driver"
