#!/bin/sh
# Breaks a deployment, a rollback or the control off at every system call that changes anything, one a trial.
#
#     sweep.sh deploy|rollback|recovery|cp <directory> <fault>...      a fault: kill, or an error as ENOSPC
#
# A reference trial counts the points: calls of the deployer that change a file or a name in the tree (its backups, journal and
# staged files included), opens that may create one, calls that start, signal or end processes or take locks, and what the command
# that it runs to install does in the virtual environment (there, too, it is the deployer that is killed). PYTHON and FRACAS name
# the programs, FIXTURE the tree, JOBS the trials side by side; with SAMPLE=20 only every twentieth point is visited. With FULL=98 the
# tree is on a small disk of its own (a tmpfs, which needs root) of which 98 percent are in use. What is in the directory is made anew.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
fracas=${FRACAS:-$here/../../.build/release/fracas}
python=${PYTHON:-$here/../../.venv/bin/python}
fixture=${FIXTURE:-$here/../../fixtures/exo}
kind=$1 out=$2
shift 2
who="roles: deployer"
[ "$kind" != cp ] || who="under: copier"
names="link, linkat, mkdir, mkdirat, mknod, mknodat, rename, renameat, renameat2, rmdir, symlink, symlinkat, unlink, unlinkat"
modes="chmod, chown, fchmod, fchmodat, fchown, fchownat, lchown, utimensat, setxattr, fsetxattr, removexattr, fremovexattr"
data="copy_file_range, fallocate, fdatasync, fsync, syncfs, ftruncate, pwrite64, pwritev, sendfile, truncate, write, writev"
starts="clone, clone3, execve, flock, fork, kill, pidfd_send_signal, setsid, tgkill, vfork"
point() { # each family of points, as a scenario writes it
    case $1 in
    files) echo "$who, call: [$names, $modes, $data], path: '/tmp/tree/*'" ;;
    creates) echo "$who, call: openat, args: {2: '& 0x40'}, path: '/tmp/tree/*'" ;;
    processes) echo "$who, call: [$starts]" ;;
    installs) echo "under: deployer, call: [$names, $modes, $data, openat], path: '/tmp/tree/.venv/*'" ;;
    esac
}
base() { sed "s#topologies/#$here/topologies/#; s#\${here}#$here#g" "$here/$kind.yaml"; }

rm -rf "$out"
mkdir -p "$out/scenarios" "$out/reference"
families="files creates processes installs"
[ "$kind" != cp ] || families="files creates processes"
for family in $families; do
    {
        base
        echo "points: {change: {$(point "$family"), times: all}}"
        echo "limits: {records: 1000000}"
    } >"$out/reference/$family.yaml"
done
"$fracas" run "$out"/reference/*.yaml --trials "$(echo "$families" | wc -w)" --jobs 1 --reports "$out/reference" --python "$python" \
    --set "fixture=$fixture" --set "fracas=$fracas" --set "full=${FULL:-}" --format json >"$out/reference/summary.json" ||
    { echo "without a fault the trial does not hold: see $out/reference" >&2; exit 2; }
total=0
for family in $families; do
    count=$(cat "$out"/reference/*/ledgers/*-"$family".jsonl | grep -c '"point":"change"' || true)
    echo "$kind, $family: $count points"
    for fault in "$@"; do
        # Starting a process, sending a signal and taking a lock fail in ways of their own; a disk's errors are not among them.
        [ "$family" != processes ] || [ "$fault" = kill ] || continue
        action="errno: $fault"
        [ "$fault" != kill ] || action="kill: KILL"
        [ "$fault$family" != killinstalls ] || action="kill: {roles: deployer, signal: KILL}"
        n=1
        while [ "$n" -le "$count" ]; do
            {
                base
                echo "faults: [{name: sweep, $action, at: {$(point "$family"), nth: $n}}]"
            } >"$out/scenarios/$fault-$family-$n.yaml"
            n=$((n + ${SAMPLE:-1})) total=$((total + 1))
        done
    done
done
echo "$kind: $total trials"
# The directory, not its files: so many would be more than one command can take.
"$fracas" run "$out/scenarios" --trials "$total" --jobs "${JOBS:-2}" --reports "$out" \
    --python "$python" --set "fixture=$fixture" --set "fracas=$fracas" --set "full=${FULL:-}"
