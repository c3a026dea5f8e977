"""./build.sh itself."""
