"""CIFAR-100 in memory, transforms of whole batches, checks of data sets."""
