#!/bin/sh
# Three hosts, deployed to by docs/fleet/deploy.yml: network namespaces on a bridge that has a namespace of its own, in each one sshd
# with its own host key, its own /srv, /run and /tmp. Everything ends with this script.
#
#   scenarios/deployments/fleet.sh [PROGRAM]     # fracas; default: .build/release/fracas, or .build/debug/fracas
#
# Needs root, iproute2, openssh-server, openssh-client, ansible-core and python3. Exit codes: 0 all as it must be, 1 not, 77 not tried.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)

if [ "${1-}" != --inside ]; then
    program=${1-}
    for candidate in "$root/.build/release/fracas" "$root/.build/debug/fracas"; do
        [ -n "$program" ] || [ ! -x "$candidate" ] || program=$candidate
    done
    skip() { echo "not tried: $*" >&2; exit 77; }
    [ "$(id -u)" = 0 ] || skip "network namespaces with sshd need root"
    [ -x "$program" ] || skip "no fracas: build it, or give it"
    for tool in ip sshd ssh ssh-keygen ansible-playbook python3 curl unshare; do
        command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || skip "$tool is missing (iproute2, openssh-server, ansible-core)"
    done
    work=$(mktemp -d /var/tmp/fleet-XXXXXX)
    trap 'rm -rf "$work"' EXIT
    result=0
    unshare --net --mount --uts --pid --fork --kill-child --mount-proc "$0" --inside "$(readlink -f "$program")" "$work" || result=$?
    exit "$result"
fi

program=$2 work=$3
fracas=/srv/fracas/bin/fracas
mount --make-rprivate /
complaints=0
wrong() { echo "WRONG: $*"; complaints=$((complaints + 1)); }
say() { printf '\n== %s\n' "$*"; }

# --- releases, made and signed on the machine that deploys
made=$work/made
mkdir -p "$made"
service='import http.server, os
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
version = open(root + "/lib/version").read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # The second release does not come up on a host that is not made for it.
        unfit = version == "2" and os.path.exists("/srv/no-second-release")
        body = version.encode()
        self.send_response(500 if unfit else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["APP_API_PORT"])), Handler).serve_forever()'
lay() { mkdir -p "$1/lib"; printf '%s\n' "$service" >"$1/lib/serve.py"; echo "$2" >"$1/lib/version"; }
ssh-keygen -q -t ed25519 -N '' -C releases -f "$work/release-key"
ssh-keygen -q -t ed25519 -N '' -C deployer -f "$work/login-key"
for version in 1 2 3; do
    lay "$made/app-$version" "$version"
    "$program" release sign "$made/app-$version" --key "$work/release-key" >/dev/null
done

# --- hosts
ip link set lo up
ip link add bridge0 type bridge
ip address add 10.99.0.254/24 dev bridge0
ip link set bridge0 up
: >"$work/known_hosts"
printf '[fleet]\n' >"$work/hosts"
for n in 1 2 3; do
    host=$work/host$n
    mkdir -p "$host/fracas/bin" "$host/app"
    lay "$host/app" 0
    "$program" kit install "$host/app" >/dev/null
    cat >"$host/app/deployment/config/local.conf" <<CONF
SERVICE_NAME="app"
SERVICE_MANAGER=supervisor
SERVICE_COMMAND="/usr/bin/python3 -S -E -I {root}/lib/serve.py"
SERVICE_ENV_PREFIX="APP_"
SERVICE_ENVIRONMENT=""
PYTHON="/usr/bin/python3"
TEST_COMMAND=""
API_PORT=8080
HEALTH_CHECK_INTERVAL=0.1
HEALTH_CHECK_RETRIES=30
DISK_THRESHOLD=100
REQUIRE_SIGNATURE=true
SIGNATURE_ALLOWED_SIGNERS="/srv/fracas/allowed_signers"
CONF
    chmod 640 "$host/app/deployment/config/local.conf"
    echo "releases namespaces=\"fracas-release\" $(cut -d' ' -f1,2 "$work/release-key.pub")" >"$host/fracas/allowed_signers"
    cp "$work/login-key.pub" "$host/fracas/authorized_keys"
    ssh-keygen -q -t ed25519 -N '' -C "host$n" -f "$host/fracas/host-key"
    echo "10.99.0.$n $(cut -d' ' -f1,2 "$host/fracas/host-key.pub")" >>"$work/known_hosts"
    cat >"$host/fracas/sshd_config" <<CONF
ListenAddress 10.99.0.$n
HostKey /srv/fracas/host-key
AuthorizedKeysFile /srv/fracas/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
CONF
    mkfifo "$work/go$n" "$work/up$n"
    unshare --net --mount --uts sh -eu -c '
        hostname "host$1"
        mount --bind "$2" /srv
        mount --bind "$3" /srv/fracas/bin
        mount -t tmpfs none /run; mkdir -m 755 /run/sshd
        mount -t tmpfs none /tmp
        echo ready >"$4/up$1"
        read -r _ <"$4/go$1"
        ip link set lo up; ip address add "10.99.0.$1/24" dev "wire$1"; ip link set "wire$1" up
        exec /usr/sbin/sshd -D -f /srv/fracas/sshd_config -E /srv/fracas/sshd.log
    ' sh "$n" "$host" "$(dirname "$program")" "$work" &
    read -r _ <"$work/up$n"
    ip link add "port$n" type veth peer name "wire$n"
    ip link set "port$n" master bridge0 up
    ip link set "wire$n" netns $!
    echo go >"$work/go$n"
    echo "host$n ansible_host=10.99.0.$n" >>"$work/hosts"
done
options="-i $work/login-key -o UserKnownHostsFile=$work/known_hosts -o StrictHostKeyChecking=yes -o ConnectionAttempts=60"
cat >>"$work/hosts" <<CONF
[fleet:vars]
ansible_user=root
ansible_python_interpreter=/usr/bin/python3
ansible_ssh_common_args=$options
fracas_program=$fracas
CONF
# shellcheck disable=SC2086
on() { n=$1; shift; ssh -q $options "root@10.99.0.$n" "$@"; }

export ANSIBLE_HOME="$work/ansible" ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=0 ANSIBLE_REMOTE_TEMP=/tmp/ansible
export ANSIBLE_SSH_CONTROL_PATH_DIR="$work/cp" ANSIBLE_DISPLAY_SKIPPED_HOSTS=0 LC_ALL=C.UTF-8
play() {
    echo "\$ ansible-playbook -i hosts docs/fleet/deploy.yml -e release=made/$*"
    code=0
    release=$1
    shift
    (cd "$root" && ansible-playbook -i "$work/hosts" docs/fleet/deploy.yml -e "release=$made/$release" "$@") >"$work/said" 2>&1 ||
        code=$?
    sed -e "s|$work/||g" -e 's/ \**$//' -e '/^$/d' "$work/said"
    echo "exit code $code"
}

# What a host has: the release that it says is in its tree, what its service answers, and that service's process.
has() {
    on "$1" "$fracas service status --tree /srv/app --format json; curl -s http://127.0.0.1:8080/version" |
        python3 -c 'import json, sys
text = sys.stdin.read()
status, end = json.JSONDecoder().raw_decode(text)
print(status["to"]["release"] or "none", text[end:].strip() or "silent", *([status["process"]] if sys.argv[1:] else []))' ${2-}
}
expect() {
    for n in 1 2 3; do
        wanted=$1 found=$(has "$n")
        shift
        echo "host$n: $found"
        [ "$found" = "$wanted" ] || wrong "host$n has '$found', not '$wanted'"
    done
}
recap() { grep -q "^host$1 .*$2" "$work/said" || wrong "host$1: no '$2' in: $(grep "^host$1 " "$work/said")"; }

say "the first release on all three"
for n in 1 2 3; do on "$n" "$fracas service start --tree /srv/app >/dev/null" || wrong "host$n does not start"; done
expect "none 0" "none 0" "none 0"
play app-1
[ "$code" = 0 ] || wrong "exit code $code"
expect "/srv/releases/app-1 1" "/srv/releases/app-1 1" "/srv/releases/app-1 1"

say "the same again: nothing is changed, nothing is restarted"
before=$(for n in 1 2 3; do has "$n" pid; done)
play app-1
[ "$code" = 0 ] || wrong "exit code $code"
for n in 1 2 3; do recap "$n" "changed=0"; done
[ "$(for n in 1 2 3; do has "$n" pid; done)" = "$before" ] || wrong "a service was started anew"

say "the second release, which is not healthy on host2: host1 keeps it, host2 has undone it, host3 was not asked"
on 2 touch /srv/no-second-release
play app-2 -e dry_run=true >/dev/null
grep -c '^changed: \[host[123]\]$' "$work/said" >/dev/null && [ "$code" = 0 ] || wrong "a dry run does not end well"
expect "/srv/releases/app-1 1" "/srv/releases/app-1 1" "/srv/releases/app-1 1" >/dev/null
play app-2
[ "$code" != 0 ] || wrong "exit code 0"
recap 2 "failed=1"
! grep -q '^host3 ' "$work/said" || wrong "host3 was touched"
expect "/srv/releases/app-2 2" "/srv/releases/app-1 1" "/srv/releases/app-1 1"

say "back, wherever it is"
play app-2 --tags rollback
[ "$code" = 0 ] || wrong "exit code $code"
recap 1 "changed=1"
for n in 2 3; do recap "$n" "changed=0"; done
for n in 1 2 3; do found=$(has "$n"); echo "host$n: $found"; case $found in *" 1") ;; *) wrong "host$n has '$found'" ;; esac; done

say "a release that was changed after it was signed: host1 refuses it, and no other is asked"
echo '# one line more' >>"$made/app-3/lib/serve.py"
before=$(for n in 1 2 3; do has "$n" pid; done)
play app-3
[ "$code" != 0 ] || wrong "exit code 0"
grep -q "has other content" "$work/said" || wrong "it is not refused by name"
[ "$(for n in 1 2 3; do has "$n" pid; done)" = "$before" ] || wrong "something was touched"

say "$complaints complaints"
for n in 1 2 3; do on "$n" "$fracas service stop --force --tree /srv/app >/dev/null"; done
[ "$complaints" = 0 ]
