# Functions that the scripts of this folder share; to be sourced.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# Runs a command as root, through sudo where we are not root already.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo "$@"
    else
        fail "needs root to run: $*"
    fi
}

# Runs a command quietly; shows what it printed only if it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" > "$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "failed: $*"
    fi
    rm -f "$log"
}

# Installs those of these Debian packages that are missing.
install_debian_packages() {
    local wanted=() package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2> /dev/null | grep -q '^ii' || wanted+=("$package")
    done
    [[ ${#wanted[@]} -eq 0 ]] && return
    command -v apt-get > /dev/null || fail "no apt-get here; please install: ${wanted[*]}"
    # Another process may be installing, as a machine does that has just started, and a mirror may fail once.
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5)
    quietly as_root "${apt[@]}" update
    quietly as_root "${apt[@]}" install --yes --no-install-recommends "${wanted[@]}"
}
