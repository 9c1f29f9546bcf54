"""Other doors for the same run: EMR Serverless, EMR on EKS, and any Kubernetes.

The `ClusterSpec` tells what they share with a cluster: region, release, Python, processors, where
code and logs are stored, Spark settings. Its nodes, network and roles of a cluster are not used.

serverless.py  EMR Serverless
eks.py         EMR on EKS
kubernetes.py  plain `spark-submit --master k8s://…`
run.py         a run behind one of the first two, sent once and waited for
settings.py    the Spark settings that all three need
"""
