#!/bin/sh
# In the machine, as root: installs the unit of the kit, deploys, validates and rolls back under systemd and journald.
set -u
export FRACAS=/suite/bin/fracas LD_LIBRARY_PATH=/suite/lib PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
failures=0
check() { # what, then a command
    what=$1
    shift
    if "$@" >/tmp/out 2>&1; then echo "ok: $what"; else
        echo "FAILED: $what"
        tail -n 25 /tmp/out
        failures=$((failures + 1))
    fi
}
not() { ! "$@"; }
sum() { (cd /opt/exo/src && find . -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }
is() { [ "$(sum)" = "$1" ]; }
serves() { systemctl -q is-active exo && curl -sf http://127.0.0.1:52415/health; }

id exo >/dev/null 2>&1 || useradd --system --home-dir /var/lib/exo --shell /usr/sbin/nologin exo
rm -rf /opt/exo
mkdir -p /opt/exo/releases
cp -r /suite/exo/src /opt/exo/src
cp -r /suite/exo/releases/fixed /opt/exo/releases/fixed
new=$(cp -r /suite/exo/releases/fixed/src /opt/exo/ && sum)
rm -rf /opt/exo/src
cp -r /suite/exo/src /opt/exo/src
cp -r /suite/exo/releases/before/src /opt/exo/
old=$(sum)
python3 -m venv --without-pip /opt/exo/.venv 2>/dev/null || { rm -rf /opt/exo/.venv; mkdir -p /opt/exo/.venv/bin && ln -sf /usr/bin/python3 /opt/exo/.venv/bin/python; }
check "the kit is installed" "$FRACAS" kit install /opt/exo
cat >/opt/exo/deployment/config/local.conf <<end
SERVICE_MANAGER=auto
HEALTH_CHECK_INTERVAL=0.1
HEALTH_CHECK_RETRIES=300
HEALTH_SOAK=0.5
SKIP_TESTS=true
end
# The packages of the fixture are beside it in this machine; the unit stops what hangs in its shutdown after two seconds.
sed -e 's#PYTHONPATH=/opt/exo/src#PYTHONPATH=/opt/exo/src:/suite/python#' -e 's/TimeoutStopSec=30/TimeoutStopSec=2/' \
    /opt/exo/deployment/systemd/exo.service >/etc/systemd/system/exo.service
cp /opt/exo/deployment/systemd/exo-validate.service /opt/exo/deployment/systemd/exo-validate.timer /etc/systemd/system/
mkdir -p /etc/systemd/system/exo-validate.service.d
printf '[Service]\nEnvironment=FRACAS=%s LD_LIBRARY_PATH=%s\n' "$FRACAS" "$LD_LIBRARY_PATH" \
    >/etc/systemd/system/exo-validate.service.d/local.conf
chown -R exo:exo /opt/exo
systemctl daemon-reload
check "the unit verifies" systemd-analyze verify /etc/systemd/system/exo.service
check "the service starts" "$FRACAS" service start --tree /opt/exo
cd /opt/exo/deployment || exit 1
check "validation is healthy under systemd" monitoring/validate-deployment.sh --since 5m
check "it was systemd's service that was looked at" grep -q "under systemd" -r logs
check "the fix is deployed" ./deploy-race-condition-fix.sh
check "the tree is the new release" is "$new"
check "the service serves" serves
check "the files belong to the service's user" [ "$(stat -c %U /opt/exo/src/exo/worker/runner/shutdown_coordinator.py)" = exo ]
check "the service runs as its user" [ "$(ps -o user= -p "$(systemctl show -p MainPID --value exo)")" = exo ]
logger -t exo "unrelated: Queue is closed"
check "lines of others do not count" monitoring/validate-deployment.sh --set ERROR_THRESHOLD=0
check "the journal's lines do" not monitoring/validate-deployment.sh --set ERROR_THRESHOLD=0 --set "RACE_ERROR_PATTERNS=exo: ready"
check "the timer's service validates" systemctl start exo-validate.service

# Killed while the new release is in place and not yet accepted.
check "back to the old release" ./rollback-race-condition-fix.sh latest
check "the tree is the old release" is "$old"
mkfifo /tmp/hold
./deploy-race-condition-fix.sh --set "INSTALL_COMMAND=/bin/cat /tmp/hold" >/tmp/killed 2>&1 &
deploy=$!
exec 9>/tmp/hold # until the installation has opened it too
check "the new release is in place" is "$new"
kill -KILL "$deploy"
exec 9>&-
wait "$deploy" 2>/dev/null
check "the next command settles it" "$FRACAS" backups --tree /opt/exo
check "the tree is the old release again" is "$old"
check "the service serves again" serves

# A release that does not start: systemd restarts it until it gives up, and the deployment goes back.
mkdir -p /opt/exo/releases/broken/src/exo
echo 'raise SystemExit(1)' >/opt/exo/releases/broken/src/exo/main.py
check "a release that does not start fails" not ./deploy-race-condition-fix.sh --release /opt/exo/releases/broken
check "the tree is still the old release" is "$old"
check "the old release serves" serves
check "an emergency rollback" ./rollback-race-condition-fix.sh latest --emergency
check "nothing is left over" [ ! -e /opt/exo/deployment/.journal ]
check "the doctor is content" "$FRACAS" doctor --deployment --tree /opt/exo
echo "$failures failed"
[ "$failures" = 0 ]
