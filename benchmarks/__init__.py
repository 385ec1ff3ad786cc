"""Measurements of Yupan beside its peers; see README.md."""
