# shellcheck shell=bash
# What documents say: their links, the messages that they quote, and the values that stand in several places. What a release takes and does.

tier_texts() {
    if ! use_requirements; then
        skip "the documents: tests/requirements.txt could not be installed"
        return
    fi
    # Their commands are run in the tier chart, which has kubectl and Helm.
    run_pytest texts "documents, facts, and the rules of a release" "$@" \
        tests/facts tests/release tests/documents --ignore tests/documents/test_commands.py
}
