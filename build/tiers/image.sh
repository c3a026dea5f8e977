# shellcheck shell=bash
# The images: made twice, pushed to real registries, pulled back, and given to Istio's own fetcher.

tier_image() {
    local other
    other=$(other_arch)
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    rm -f "target/exeunt-agent-$other" "target/exeunt-agent-$other.json"
    build_agent "$other" || say "the images are tested for $(this_arch) alone"
    if ! use_requirements; then
        skip "images: tests/requirements.txt could not be installed"
        return
    fi
    use_image
    if ! programs skopeo=skopeo docker-registry=docker-registry openssl=openssl; then
        skip "images: skopeo, docker-registry or openssl is missing: $HINT"
        return
    fi
    wait_for go
    if ! use_go || ! build_istio_judge; then
        say "Go is missing or cannot fetch Istio's code: Istio's own fetcher will not be asked"
    fi
    run_pytest image "images, in real registries" "$@" tests/images
}

# The program that runs Istio's own code; go.sum pins its sources, of 390 MB.
build_istio_judge() {
    local source=tests/images/judge built=$CACHE/tools/bin/istio-judge stamp=$CACHE/tools/istio-judge.txt
    [[ ! -x $built ]] || ! is_built_from "$stamp" "$source"/{go.*,*.go} || return 0
    mkdir -p "$CACHE/tools/bin"
    attempt istio-judge "building Istio's own fetcher" timeout 900 \
        go build -C "$source" "${GO_BUILD[@]}" -mod=readonly -o "$built" . || return
    note_built_from "$stamp" "$source"/{go.*,*.go}
}
