# shellcheck shell=bash
# The verb release. .github/workflows/release.yml makes a release when a tag is pushed. This does the part that any machine can do.

verb_release() {
    case "$#:${1:-}" in
    1:--dry-run) dry_run ;;
    2:--check)
        release_check "$2" || exit 1
        say "version $(version): every file names it"
        ;;
    [2-9]:--build | [1-9][0-9]:--build)
        release_build "$(cd "$CALLER" && realpath --canonicalize-missing "$2")" "${@:3}" || exit 1
        ;;
    *) wrong "release needs --dry-run, --build DIR or --check TAG: the release itself is made by pushing a tag such as v$(version)" ;;
    esac
}

# The part of a release that needs no rights elsewhere, into target/release-dry-run.
dry_run() {
    local out=$ROOT/target/release-dry-run failed=0 arch name commands=()
    rm -rf "$out"
    release_check "v$(version)" || failed=1
    for arch in amd64 arm64; do
        name=kubectl-exeunt
        [[ $arch == "$(this_arch)" ]] || name=kubectl-exeunt-$arch
        if build_cli "$arch"; then commands+=(--cli "linux/$arch=$ROOT/target/$name"); else failed=1; fi
    done
    release_build "$out" --platform linux/amd64 --platform linux/arm64 "${commands[@]}" || failed=1
    say "not done here, because only .github/workflows/release.yml has the rights:"
    say "  push the images and the chart (packages: write)"
    say "  sign them and SHA256SUMS, attach the bills of materials and the provenance (its identity, by OpenID Connect)"
    say "  publish on crates.io and PyPI (trusted publishing)"
    say "  make the release page with the files of files/ (contents: write)"
    if ((failed)); then
        say "a release would fail; the lines above say why"
        exit 1
    fi
    say "this part of a release works; its files are in ${out#"$ROOT"/}"
}

# Everything that a release publishes, into a new folder: layouts/ has the images as OCI layouts, files/ has what people download, with its
# SHA256SUMS. The jobs that publish change none of it. Arguments: the folder, and options of ./build.sh image. --cli also takes platforms of
# darwin, for which there is an archive and no image.
release_build() {
    local out=$1 files=$1/files failed=0 commands=() options=()
    shift
    while (($# > 0)); do
        if [[ $1 == --cli && -n ${2:-} ]]; then
            commands+=("${2%%=*}=$(cd "$CALLER" && realpath --canonicalize-missing "${2#*=}")")
            [[ $2 == darwin/* ]] || options+=("$1" "$2")
            shift
        else
            options+=("$1")
        fi
        shift
    done
    if [[ -e $out ]]; then
        say "release: $out exists: --build needs a new folder"
        return 1
    fi
    mkdir -p "$files"
    # In a subshell, because a verb may exit.
    if (verb_image "${options[@]}" --output "$out/layouts"); then
        rm "$out/layouts/SHA256SUMS"
        find "$out/layouts" -maxdepth 1 -type f -exec mv -t "$files" {} +
    else
        failed=1
    fi
    release_command "$files" "${commands[@]}" || failed=1
    release_crates "$files" || failed=1
    build_package "$files" || failed=1
    release_chart "$files" || failed=1
    (cd "$files" && sha256sum -- *) >"$out/sums" && mv "$out/sums" "$files/SHA256SUMS" || failed=1
    # One list more, of the whole folder: the jobs that publish check it.
    (cd "$out" && find files layouts -type f -exec sha256sum {} +) >"$out/sums" && mv "$out/sums" "$out/SHA256SUMS" || failed=1
    return "$failed"
}

release_crates() {
    use_rust
    rm -f "$CARGO_TARGET_DIR"/package/*.crate
    step crates "packaging and compiling the crates for crates.io" \
        cargo package --locked --allow-dirty "${CRATES[@]/#/--package=}" && cp "$CARGO_TARGET_DIR"/package/*.crate "$1/"
}

# By the Helm that the tests use.
release_chart() {
    if ! use_go; then
        say "the chart needs Helm, and Go 1.$GO_MINOR or newer, which builds it, is missing"
        return 1
    fi
    use_chart_tools && step chart "packaging the chart and the module's ConfigMap" pack_chart "$1/exeunt-$(version).wasm" "$1"
}

# The chart with the module in it, and the module's ConfigMap as a manifest: the module, and the folder for both.
pack_chart() {
    local module=$1 out=$2 tools=$CACHE/tools/chart packed code=0
    packed=$(mktemp -d)
    {
        cp -R deploy/chart/. "$packed" && cp "$module" "$packed/plugin.wasm" && "$tools/helm" package "$packed" --destination "$out" &&
            "$tools/kubectl" create configmap exeunt-module "--from-file=plugin.wasm=$module" --dry-run=client --output yaml \
                >"$out/exeunt-module-$(version).yaml"
    } || code=1
    rm -r "$packed"
    return "$code"
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
    names_version deploy/istio/template.tpl "exeunt-agent:$version\"" "an image of that version" || failed=1
    names_version cli/Cargo.toml "^version = \"$version\"\$" "that version" || failed=1
    names_version deploy/controller/deployment.yaml "kubectl-exeunt:$version\$" "an image of that version" || failed=1
    names_version deploy/reap/cronjob.yaml "kubectl-exeunt:$version\$" "an image of that version" || failed=1
    names_version deploy/chart/Chart.yaml "^version: ${version}\$" "that version" || failed=1
    names_version deploy/chart/Chart.yaml "^appVersion: [\"']?${version}[\"']?\$" "that appVersion" || failed=1
    names_version airflow/src/exeunt_airflow/version.py "^VERSION = \"$version\"\$" "that version" || failed=1
    return "$failed"
}

# Whether a file has the version: file, pattern, what it must have. A file that does not exist names no version.
names_version() {
    [[ ! -e $1 ]] || grep -Eq "$2" "$1" && return
    say "release: $1 must have $3 ($(version))"
    return 1
}
