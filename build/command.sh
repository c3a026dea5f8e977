# shellcheck shell=bash
# What a release offers of kubectl exeunt: an archive for each platform, and the manifest by which krew installs it.

# Writes the archives and exeunt.yaml, the manifest: the folder, and for each platform PLATFORM=FILE, such as darwin/arm64=FILE. This machine's
# must be among them, because it writes the man pages and the completions of all.
release_command() {
    local files=$1 own='' pair staging failed=0
    shift
    for pair; do
        [[ ${pair%%=*} != "linux/$(this_arch)" ]] || own=$(realpath "${pair#*=}")
    done
    if [[ -z $own ]]; then
        say "release: kubectl exeunt for linux/$(this_arch) is missing: build it with ./build.sh cli, and name it with --cli linux/$(this_arch)=FILE"
        return 1
    fi
    staging=$(mktemp -d)
    {
        command_extras "$own" "$staging" &&
            for pair; do
                command_archive "${pair%%=*}" "${pair#*=}" "$staging" "$files" || failed=1
            done
        command_manifest "$files" >"$files/exeunt.yaml"
    } || failed=1
    rm -rf "$staging"
    return "$failed"
}

# What is the same in every archive, into a folder: the man pages, the completions and the licence. The first argument is the command.
command_extras() {
    local own=$2/kubectl-exeunt out=$2 completion=$2/completion
    mkdir "$completion"
    cp LICENSE "$out"
    # What was handed on from another machine has lost its mode.
    install -m 755 "$1" "$own"
    "$own" man "$out/man" &&
        "$own" completion bash >"$completion/kubectl-exeunt.bash" &&
        "$own" completion zsh >"$completion/_kubectl-exeunt" &&
        "$own" completion fish >"$completion/kubectl-exeunt.fish" &&
        "$own" completion kubectl >"$completion/kubectl_complete-exeunt" &&
        chmod 755 "$completion/kubectl_complete-exeunt"
}

# One archive, always the same bytes: platform, the command, the folder with what is the same in all, and where it is written.
command_archive() {
    local platform=$1 binary=$2 staging=$3 out=$4
    install -m 755 "$binary" "$staging/kubectl-exeunt"
    tar --create --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$(command_date)" \
        --directory "$staging" completion kubectl-exeunt LICENSE man |
        gzip --best --no-name >"$out/kubectl-exeunt-$(version)-${platform/\//-}.tar.gz"
}

command_date() {
    echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
}

# krew's manifest with the checksums of the archives in a folder. It leaves out the platforms that have no archive.
command_manifest() {
    "${PYTHON:-python3}" build/krew.py "$(version)" deploy/krew/exeunt.yaml "$1"
}
