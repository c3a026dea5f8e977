"""Tests of ./build.sh e2e without a cluster."""
