# shellcheck shell=bash
# What documents say: their links, the messages that they quote, and the values that stand in several places.

tier_texts() {
    if ! use_requirements; then
        skip "the documents: tests/requirements.txt could not be installed"
        return
    fi
    # Their commands are run in the tier chart, which has kubectl and Helm.
    run_pytest texts "links, quotes and facts of the documents" "$@" tests/facts tests/documents --ignore tests/documents/test_commands.py
}
