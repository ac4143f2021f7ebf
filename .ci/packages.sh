# The Debian 12 packages that building and testing replica needs, and a function that installs the
# missing ones. Sourced by test/run.sh, .ci/run and example/quickstart.sh.

# Build: compilers, both build systems, libraries. Boost by its 1.81 packages: the unversioned ones
# are 1.74.
replica_packages_build="g++ cmake ninja-build ccache pkg-config python3
    libboost1.81-dev libboost-json1.81-dev libboost-filesystem1.81-dev
    libboost-context1.81-dev libboost-test1.81-dev libsqlite3-dev libssl-dev zlib1g-dev libspdlog-dev libcli11-dev
    libbenchmark-dev"

# Run: what the daemons call and what a person looks at databases with.
replica_packages_run="rsync sqlite3"

# Swift: a whole cluster and its client, to test compatibility with and for the quickstart beside it.
replica_packages_swift="swift-account swift-container swift-object swift-proxy memcached
    python3-swiftclient iproute2"

# Packages: what packaging/build-deb.sh calls, and what looks at what came out.
replica_packages_deb="dpkg-dev debhelper lintian systemd man-db bash-completion"

# Site: what doc/build.sh calls.
replica_packages_site="doxygen mkdocs"

# Test: the second build, what counts calls of the system, our own packages, the site, and Swift.
replica_packages_test="meson gdb strace $replica_packages_site $replica_packages_deb $replica_packages_swift"

# CI only: the second compiler and its tools, and what is asked of by a part of daemon/metrics.py
# and daemon/page.py that is not run without it: promtool and a browser (80 MB to download).
replica_packages_ci="prometheus chromium clang-16 clang-tidy-16 clang-format-16 libclang-rt-16-dev reuse"

# replica_install PACKAGE... installs those that are missing, through apt as root or with sudo.
# Says what it does before it does it; touches no network when nothing is missing. Without the right
# to install it names the packages and returns 1.
replica_install() {
    local package missing="" sudo=""
    for package in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed; then
            missing="$missing $package"
        fi
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        # Only a person at a terminal can be asked for a password.
        sudo="sudo"
        [ -t 0 ] || sudo="sudo -n"
        if ! command -v sudo >/dev/null || ! $sudo true; then
            echo "Packages are missing, and there is neither root nor sudo. As root, run:" >&2
            echo "  apt-get install --no-install-recommends$missing" >&2
            return 1
        fi
    fi
    echo "Installing through apt:$missing"
    replica_apt "$sudo" $missing || { echo "apt could not install:$missing" >&2; return 1; }
}

# replica_apt SUDO PACKAGE... (in a subshell, for its trap)
# Swift's packages come with services; on Debian a policy script that exits with 101 keeps the
# installation from starting them. It is removed afterwards, also when interrupted.
replica_apt() (
    sudo="$1" policy=/usr/sbin/policy-rc.d
    shift
    if [ ! -e "$policy" ]; then
        trap '$sudo rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null || exit 1
        $sudo chmod 755 "$policy" || exit 1
    fi
    $sudo apt-get update -qq </dev/null || exit 1
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null || exit 1
)
