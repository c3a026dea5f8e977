"""Tests of the scenarios of workflow engines, without a cluster."""
