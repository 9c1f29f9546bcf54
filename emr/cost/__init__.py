"""What a cluster, a run and a service cost; every number says where it is from."""
