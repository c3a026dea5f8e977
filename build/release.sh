# shellcheck shell=bash
# The verb release. A release itself is made by .github/workflows/release.yml when a tag is pushed; what of it can be done on any machine
# is done here.

verb_release() {
    case "$#:${1:-}" in
    1:--dry-run) dry_run ;;
    2:--check)
        release_check "$2" || exit 1
        say "version $(version): every place says so"
        ;;
    *) wrong "release needs --dry-run or --check TAG: the release itself is made by pushing a tag such as v$(version)" ;;
    esac
}

# Everything that needs no rights of ours elsewhere, into target/release-dry-run.
dry_run() {
    local out=$ROOT/target/release-dry-run failed=0
    rm -rf "$out"
    mkdir -p "$out"
    release_check "v$(version)" || failed=1
    use_rust
    step crates "packaging and compiling the crates as crates.io would get them" \
        cargo package --locked --allow-dirty "${CRATES[@]/#/--package=}" || failed=1
    mkdir "$out/crates"
    cp "$CARGO_TARGET_DIR"/package/*.crate "$out/crates/" || failed=1
    # In a process of their own, because a verb may end it.
    (verb_image --output "$out/images") || failed=1
    release_python "$out" || failed=1
    say "left to .github/workflows/release.yml, since it takes rights that only a run of it has:"
    say "  signing with cosign, and attaching the bills of materials: its own identity, by OpenID Connect"
    say "  pushing the images: packages: write"
    say "  publishing on crates.io and PyPI: trusted publishing, for that workflow alone"
    say "  the release's page, with the files of images/: contents: write"
    if ((failed)); then
        say "a release would stop at what is said above"
        exit 1
    fi
    say "a release would go through so far; its files are in ${out#"$ROOT"/}"
}

# What is published on crates.io. The filter is not: it is only useful as the module that the image has.
CRATES=(exeunt-drain exeunt-pod exeunt-agent)

version() {
    sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1
}

# Whether every place names the version that a tag names; tells each one that does not.
release_check() {
    local tag=$1 version failed=0
    version=$(version)
    if [[ $tag != "v$version" ]]; then
        say "release: tag $tag is not allowed: must be v$version, the version in Cargo.toml"
        failed=1
    fi
    names_version CHANGELOG.md "^## \[?${version}\]?( |\$)" "a section of that version" || failed=1
    names_version wasmplugin.yaml "^  url: oci://.*:$version(@|\$)" "an image of that version" || failed=1
    names_version deploy/chart/Chart.yaml "^appVersion: [\"']?${version}[\"']?\$" "that appVersion" || failed=1
    names_version airflow/pyproject.toml "^version = \"$version\"\$" "that version" || failed=1
    return "$failed"
}

# A file that is not there yet names no version.
names_version() {
    [[ ! -e $1 ]] || grep -Eq "$2" "$1" && return
    say "release: $1 must have $3 ($(version)), and has not"
    return 1
}

# The package for Airflow, as PyPI would get it.
release_python() {
    if [[ ! -e airflow/pyproject.toml ]]; then
        say "airflow/ is not there: no package for PyPI"
        return
    fi
    use_venv
    step python "building the package for PyPI" "$PYTHON" -m pip wheel --disable-pip-version-check --no-input --no-deps \
        --wheel-dir "$1/python" ./airflow
}
