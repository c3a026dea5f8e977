# shellcheck shell=bash
# The verb release. .github/workflows/release.yml makes a release when a tag is pushed. This does the part that any machine can do.

verb_release() {
    case "$#:${1:-}" in
    1:--dry-run) dry_run ;;
    2:--check)
        release_check "$2" || exit 1
        say "version $(version): every file names it"
        ;;
    *) wrong "release needs --dry-run or --check TAG: the release itself is made by pushing a tag such as v$(version)" ;;
    esac
}

# The part of a release that needs no rights elsewhere, into target/release-dry-run.
dry_run() {
    local out=$ROOT/target/release-dry-run failed=0
    rm -rf "$out"
    mkdir -p "$out"
    release_check "v$(version)" || failed=1
    use_rust
    step crates "packaging and compiling the crates for crates.io" \
        cargo package --locked --allow-dirty "${CRATES[@]/#/--package=}" || failed=1
    mkdir "$out/crates"
    cp "$CARGO_TARGET_DIR"/package/*.crate "$out/crates/" || failed=1
    # In a subshell, because a verb may exit.
    (verb_image --platform linux/amd64 --platform linux/arm64 --output "$out/images") || failed=1
    release_python "$out" || failed=1
    say "not done here, because only .github/workflows/release.yml has the rights:"
    say "  sign with cosign and attach the bills of materials (its identity, by OpenID Connect)"
    say "  push the images (packages: write)"
    say "  publish on crates.io and PyPI (trusted publishing)"
    say "  make the release page with the files of images/ (contents: write)"
    if ((failed)); then
        say "a release would fail; the lines above say why"
        exit 1
    fi
    say "this part of a release works; its files are in ${out#"$ROOT"/}"
}

# What is published on crates.io. The filter is not, because it is useful only as the module in the image.
CRATES=(exeunt-drain exeunt-pod exeunt-agent)

version() {
    sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1
}

# Whether every file names the version of a tag. Each file that does not is reported.
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

# Whether a file has the version: file, pattern, what it must have. A file that does not exist names no version.
names_version() {
    [[ ! -e $1 ]] || grep -Eq "$2" "$1" && return
    say "release: $1 must have $3 ($(version))"
    return 1
}

# The Airflow package, as it is published on PyPI.
release_python() {
    if [[ ! -e airflow/pyproject.toml ]]; then
        say "airflow/pyproject.toml does not exist: no package for PyPI"
        return
    fi
    use_venv
    step python "building the package for PyPI" "$PYTHON" -m pip wheel --disable-pip-version-check --no-input --no-deps \
        --wheel-dir "$1/python" ./airflow
}
