# shellcheck shell=bash
# The images: made twice, pushed into real registries, pulled back, and shown to Istio's own fetcher.

tier_image() {
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    rm -f "target/exeunt-agent-$(other_arch)" "target/exeunt-agent-$(other_arch).json"
    build_agent "$(other_arch)" || say "the images are tested for $(this_arch) alone"
    if ! use_requirements; then
        skip "images: tests/requirements.txt could not be installed"
        return
    fi
    use_image
    if ! { have skopeo && have docker-registry && have openssl; } && ! packages skopeo docker-registry openssl; then
        skip "images: skopeo, docker-registry and openssl are missing (as root, apt-get install skopeo docker-registry openssl)"
        return
    fi
    # Runs the agent of the other architecture.
    have qemu-aarch64-static || packages qemu-user-static || true
    # Without these the tests that need them say so themselves.
    build_istio_judge || say "Go is missing or cannot fetch Istio's code: its own opinion of the images will be skipped"
    local code=0 report=$LOGS/image.xml
    rm -f "$report"
    step image "images, in real registries" \
        "$PYTHON" -m pytest --junit-xml="$report" -o junit_logging=no "$@" tests/images || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked image "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n 's/^SKIPPED /images: /p' "$LOGS/image.log")
}

# The program that asks Istio's own code; its 390 MB of sources are fetched once, and go.sum says which.
build_istio_judge() {
    local source=tests/images/judge built=$CACHE/tools/bin/istio-judge stamp=$CACHE/tools/istio-judge.txt
    have go || return
    if [[ -x $built ]] && cat "$source"/go.* "$source"/*.go | cmp --silent - "$stamp"; then
        return
    fi
    mkdir -p "$CACHE/tools/bin"
    attempt istio-judge "building Istio's own fetcher" timeout 600 \
        env -C "$source" GOFLAGS=-buildvcs=false go build -mod=readonly -o "$built" . || return
    cat "$source"/go.* "$source"/*.go >"$stamp"
}
