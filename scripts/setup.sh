# What the build and the servers of our own need, checked and installed. Sourced by demo, test and .ci/run,
# from the repository's directory.

has() { command -v "$1" >/dev/null 2>&1; }

any() { for file in "$@"; do [ ! -e "$file" ] || return 0; done; return 1; }

# The SQL grammar is C, and its build reads the C headers through libclang.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] ||
        any /usr/lib/llvm-*/lib/libclang.so /usr/lib*/libclang.so /usr/lib/*-linux-*/libclang.so \
            /opt/homebrew/opt/llvm/lib/libclang.dylib /usr/local/opt/llvm/lib/libclang.dylib \
            /Library/Developer/CommandLineTools/usr/lib/libclang.dylib
}

# The places where the `scratch` crate looks for the server's programs.
has_postgres() {
    [ -z "${PGDEPLOY_PG_BINDIR:-}${PGDEPLOY_TEST_BINDIR:-}" ] || return 0 # the tool itself says if that one is wrong
    { has initdb && has postgres; } ||
        { has pg_config && [ -x "$(pg_config --bindir)/initdb" ]; } ||
        any /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
            /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb \
            /home/linuxbrew/.linuxbrew/opt/postgresql*/bin/initdb
}

has_pgbouncer() { has pgbouncer || [ -x /usr/sbin/pgbouncer ]; }

# need WHAT CHECK APT DNF BREW: notes the packages of what the check does not find.
need() {
    "$2" && return
    echo "missing: $1"
    apt="$apt $3" dnf="$dnf $4" brew="$brew $5"
}

# setup [pgbouncer]: makes sure that everything is there, or says what to do and ends the script.
setup() {
    apt='' dnf='' brew=''
    has cargo || { echo 'missing: Rust, 1.94 or newer; install it with rustup and try again' >&2; exit 1; }
    has_c() { has cc && has make; }
    need 'a C compiler and make' has_c build-essential 'gcc make' gcc
    need 'libclang (to build the SQL grammar)' has_libclang libclang-dev clang-devel llvm
    need 'PostgreSQL server programs (initdb, postgres)' has_postgres postgresql 'postgresql-server' postgresql@18
    [ "${1:-}" != pgbouncer ] || need 'PgBouncer (for the tests of pooling)' has_pgbouncer pgbouncer pgbouncer pgbouncer
    [ -n "$apt" ] || return 0
    if has apt-get; then
        install_with_apt $apt
    else
        echo "install it and try again: dnf install$dnf (Fedora, RHEL) or brew install$brew (macOS)" >&2
        exit 1
    fi
}

# Installs packages without any server of theirs being set up or started: ours are started by ourselves, and
# port 5432 stays as it is. The two files that see to it are gone afterwards.
install_with_apt() {
    as_root=''
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
        has sudo || { echo "run this as root, then try again: apt-get install $*" >&2; exit 1; }
    fi
    echo "installing with apt-get: $* (no server is set up or started)"
    $as_root sh -eu -s "$@" <<'ROOT'
policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/pgdeploy.conf made=$cluster
trap 'rm -f $made' EXIT
mkdir -p "${cluster%/*}"
echo 'create_main_cluster = false' >"$cluster"
if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
case " $* " in *' pgbouncer '*) systemctl disable --quiet pgbouncer 2>/dev/null || : ;; esac
ROOT
}
