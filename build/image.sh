# shellcheck shell=bash
# The verb image: the OCI images, made, pushed and checked by the program in image/.

verb_image() {
    local needs need
    use_image
    # The program itself reads the command line, and names every mistake in it before anything is built.
    needs=$(cd "$CALLER" && image_program --needs "$@") || exit
    for need in $needs; do
        case $need in
        skopeo) have skopeo || packages skopeo || missing skopeo "$HINT" ;;
        plugin) build_wasm || exit 1 ;;
        agent) build_agent || exit 1 ;;
        # As --platform asks for it.
        agent-*) build_agent "${need#agent-}" || exit 1 ;;
        # The bills of materials name the crates that cargo resolves.
        cargo) use_rust ;;
        *) wrong "the images need $need, which build.sh does not know" ;;
        esac
    done
    cd "$CALLER"
    image_program "$@"
}

image_program() {
    PYTHONPATH=$ROOT PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -P -m image "$@"
}

# The Python environment with what the program needs; installed again whenever image/requirements.txt has changed.
use_image() {
    use_venv
    local stamp=$CACHE/venv/image-requirements.txt
    cmp --silent image/requirements.txt "$stamp" && return
    step pip-image "installing image/requirements.txt" install_list "$PYTHON" image/requirements.txt || exit 1
    cp image/requirements.txt "$stamp"
}
