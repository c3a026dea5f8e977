# shellcheck shell=bash
# The verb image: the OCI images, made, pushed and checked by the programs in image/.

verb_image() {
    use_image
    if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
        image_program --help
        return
    fi
    local needs
    # The program itself reads the command line, and names every mistake in it before anything is built.
    needs=$(cd "$CALLER" && image_program --needs "$@") || exit
    if [[ " $needs " == *" skopeo "* ]] && ! have skopeo && ! packages skopeo; then
        missing skopeo "as root, apt-get install skopeo"
    fi
    if [[ " $needs " == *" plugin "* ]]; then
        build_wasm || exit 1
    fi
    if [[ " $needs " == *" agent "* ]]; then
        build_agent || exit 1
    fi
    # agent-arm64 or agent-amd64, which --platform asks for.
    if [[ " $needs " == *" agent-"* ]]; then
        build_foreign_agent || exit 1
    fi
    if [[ " $needs " == *" cargo "* ]]; then
        use_rust
    fi
    cd "$CALLER"
    image_program "$@"
}

# The program. Where it writes bills of materials it asks cargo what is in a binary; which cargo, and with which compiler, is said here.
image_program() {
    local says=()
    [[ -z ${RUSTC_:-} ]] || says=("CARGO=${CARGO[-1]}" "RUSTC=$RUSTC_")
    env "${says[@]}" PYTHONPATH="$ROOT" PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -P -m image "$@"
}

# The environment of Python with what the program needs, made anew whenever image/requirements.txt has changed.
use_image() {
    use_venv
    local stamp=$CACHE/venv/image-requirements.txt
    cmp --silent image/requirements.txt "$stamp" && return
    step pip-image "installing image/requirements.txt" \
        "$PYTHON" -m pip install --disable-pip-version-check --no-input --requirement image/requirements.txt || exit 1
    cp image/requirements.txt "$stamp"
}

# The agent for this machine, and for the other architecture where that can be built here.
build_agents() {
    build_agent || return
    build_foreign_agent || say "  the image of the agent will be for $(uname -m) alone"
}

# The agent for the other of the two architectures, with Debian's cross compiler and glibc, since Debian has no musl for another
# architecture than one's own. A release builds each on a machine of its kind (.github/workflows/release.yml).
build_foreign_agent() {
    local triple name
    case $(uname -m) in
    x86_64) triple=aarch64-linux-gnu name=arm64 ;;
    aarch64) triple=x86_64-linux-gnu name=amd64 ;;
    *) return 1 ;;
    esac
    rm -f "target/exeunt-agent-$name" "target/exeunt-agent-$name.json"
    if ! have "$triple-gcc" && ! packages "gcc-${triple//_/-}" "libc6-dev-$name-cross"; then
        say "  $triple-gcc is missing: as root, apt-get install gcc-${triple//_/-} libc6-dev-$name-cross"
        return 1
    fi
    use_std
    leave_paths_out
    FLAGS+=(-Ctarget-feature=+crt-static "-Clinker=$triple-gcc")
    local target=${triple/-linux/-unknown-linux}
    step "agent-$name" "building target/exeunt-agent-$name" std_cargo "$target" std,panic_abort build \
        -Zbuild-std-features=optimize_for_size --package exeunt-agent --release --locked || return
    ship "$CARGO_TARGET_DIR/$target/release/exeunt-agent" "exeunt-agent-$name" "$MAX_AGENT" || return
    write_down "exeunt-agent-$name" "$target" glibc "$(glibc_version "$triple-gcc")"
}
