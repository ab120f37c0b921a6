#!/bin/sh
# Makes /tmp/tree: the fixture with its old release, the deployment kit, a service that runs. Says what both releases hash to.
# prepare.sh <fracas> <python> <fixture> <scenarios/deployments> [deploy]: with "deploy" the new release is deployed as well.
set -eu
fracas=$1 python=$2 fixture=$3 here=$4
mkdir -p /tmp/tree/releases /tmp/sums
cp -r "$fixture/src" /tmp/tree/src
cp -r "$fixture/releases/fixed" /tmp/tree/releases/fixed
cp -r /tmp/tree/src /tmp/sums/src
cp -r "$fixture/releases/fixed/src" /tmp/sums/
"$here/sum.sh" /tmp/sums/src >/tmp/sums/new
rm -r /tmp/sums/src
cp -r "$fixture/releases/before/src" /tmp/tree/
"$here/sum.sh" /tmp/tree/src >/tmp/sums/old
cp "$here/service.py" /tmp/tree/
"$fracas" kit install /tmp/tree >/dev/null
cat >/tmp/tree/deployment/config/local.conf <<end
PYTHON="$python"
SERVICE_MANAGER=supervisor
SERVICE_COMMAND="{python} -S -E -I {root}/service.py"
API_PORT=5000
HEALTH_CHECK_INTERVAL=0.02
HEALTH_CHECK_RETRIES=500
RESPONSE_SAMPLES=1
SKIP_TESTS=true
end
"$fracas" service start --tree /tmp/tree
[ "${5:-}" != deploy ] || "$fracas" deploy --tree /tmp/tree >/dev/null
echo prepared
