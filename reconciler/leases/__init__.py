"""The leases that replicas contend for, each in an existing service: etcd, or the API of Kubernetes."""
