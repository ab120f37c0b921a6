#!/bin/sh
# Deployments under real systemd: boots a Debian of its own in systemd-nspawn(1), with exo.service and journald, and runs suite.sh
# in it. The machine's files are made once, by debootstrap(8), and kept in .build/machine. Exit codes: 0 all well, 1 not, 77 this
# host cannot do it, which is said.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
root=$here/../..
machine=$root/.build/machine
skip() { echo "skipped: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "a machine needs root"
for program in systemd-nspawn debootstrap; do
    command -v "$program" >/dev/null || skip "$program is missing: apt-get install systemd-container debootstrap"
done
[ -x "$root/.build/release/fracas" ] || skip "fracas is not built: make build"

packages=systemd,systemd-sysv,dbus,python3,python3-venv,curl,libseccomp2,procps
if [ "$(cat "$machine/root/made" 2>/dev/null)" != "$packages" ]; then
    rm -rf "$machine/root"
    mkdir -p "$machine"
    debootstrap --variant=minbase --include="$packages" bookworm "$machine/root" >"$machine/debootstrap.log" 2>&1 || skip "debootstrap failed: see $machine/debootstrap.log"
    echo "$packages" >"$machine/root/made"
fi
# The fixture's packages, for the Python of that Debian; pip decides what needs typing_extensions by its own Python.
if ! cmp -s "$root/fixtures/requirements.txt" "$machine/python/made"; then
    rm -rf "$machine/python"
    "$root/.venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --target "$machine/python" \
        --python-version 3.11 --only-binary=:all: typing_extensions -r "$root/fixtures/requirements.txt" ||
        skip "the fixture's packages cannot be had"
    cp "$root/fixtures/requirements.txt" "$machine/python/made"
fi

# What is tested goes in as copies, so that the machine shares nothing with this one.
inside=$machine/root/suite
rm -rf "$inside"
mkdir -p "$inside/bin" "$inside/lib"
cp "$root/.build/release/fracas" "$inside/bin/"
cp -r "$root/fixtures/exo/deployment" "$inside/bin/deployment-kit"
ldd "$root/.build/release/fracas" | awk '$3 ~ /swift/ {print $3}' | xargs -r cp -t "$inside/lib"
cp -r "$root/fixtures/exo" "$inside/exo"
cp -r "$machine/python" "$inside/python"
cp "$here/suite.sh" "$inside/"
cat >"$machine/root/etc/systemd/system/suite.service" <<'end'
[Unit]
Description=The suite of this machine
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/suite/suite.sh >/suite/output 2>&1; echo $? >/suite/result'
ExecStartPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=600
[Install]
WantedBy=multi-user.target
end
mkdir -p "$machine/root/etc/systemd/system/multi-user.target.wants"
ln -sf ../suite.service "$machine/root/etc/systemd/system/multi-user.target.wants/suite.service"

systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --machine=fracas-suite \
    --directory="$machine/root" </dev/null >"$machine/boot.log" 2>&1 || true
if [ ! -e "$inside/result" ]; then
    grep -q 'Welcome to\|Startup finished' "$machine/boot.log" || skip "the machine does not boot here: see $machine/boot.log"
    echo "the suite did not come to its end: see $machine/boot.log" >&2
    exit 1
fi
cat "$inside/output"
exit "$(cat "$inside/result")"
