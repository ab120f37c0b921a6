#!/bin/sh
# Makes /tmp/tree: the fixture with its old release, the deployment kit, a service that runs. Says what both releases hash to.
# prepare.sh <fracas> <python> <fixture> <scenarios/deployments> [deploy] [<percent>]: with "deploy" the new release is deployed as well,
# with a number the tree is on a small disk of its own of which so many percent are in use when the trial begins.
#
# The new release changes several names at the top: the directories `src` and `dashboard`, the file `pyproject.toml`, and `tools`,
# which is new (so that a rollback has to remove it); and it has something to install.
set -eu
fracas=$1 python=$2 fixture=$3 here=$4
tree=/tmp/tree release=/tmp/tree/releases/fixed
if [ -n "${6:-}" ]; then
    mkdir -p "$tree"
    mount -t tmpfs -o size=64m,mode=755 none "$tree"
fi
mkdir -p "$tree/releases" /tmp/sums
cp -r "$fixture/src" "$tree/src"
cp -r "$fixture/releases/before/src" "$tree/"
cp -r "$fixture/releases/fixed" "$release"
mkdir -p "$tree/dashboard/assets" "$release/dashboard/panels" "$release/tools"
echo '<h1>EXO</h1>' >"$tree/dashboard/index.html"
echo 'h1 { color: teal }' >"$tree/dashboard/assets/style.css"
printf '[project]\nname = "exo"\nversion = "0.3.0"\n' >"$tree/pyproject.toml"
echo '<h1>EXO</h1><iframe src="panels/shutdown.html">' >"$release/dashboard/index.html"
echo '<h2>Shutdown</h2>' >"$release/dashboard/panels/shutdown.html"
printf '[project]\nname = "exo"\nversion = "0.3.1"\n' >"$release/pyproject.toml"
printf '#!/bin/sh\necho drained\n' >"$release/tools/drain.sh"
chmod 755 "$release/tools/drain.sh"
cp "$here/service.py" "$here/install.sh" "$tree/"

"$here/sum.sh" "$tree" >/tmp/sums/old
mkdir /tmp/sums/tree
(cd "$tree" && cp -r src dashboard pyproject.toml service.py install.sh /tmp/sums/tree)
cp -r "$release/." /tmp/sums/tree
"$here/sum.sh" /tmp/sums/tree >/tmp/sums/new
rm -r /tmp/sums/tree

"$fracas" kit install "$tree" >/dev/null
cat >"$tree/deployment/config/local.conf" <<settings
PYTHON="$python"
SERVICE_MANAGER=supervisor
SERVICE_COMMAND="{python} -S -E -I {root}/service.py"
INSTALL_COMMAND="/bin/sh {root}/install.sh"
API_PORT=5000
HEALTH_CHECK_INTERVAL=0.02
HEALTH_CHECK_RETRIES=500
HEALTH_SOAK=0
RESPONSE_SAMPLES=1
SKIP_TESTS=true
settings
"$tree/install.sh"
"$fracas" service start --tree "$tree"
[ "${5:-}" != deploy ] || "$fracas" deploy --tree "$tree" >/dev/null
if [ -n "${6:-}" ]; then
    # Numbers of blocks: all, and free ones.
    set -- "$6" $(stat -f -c '%S %b %a' "$tree")
    head -c $((($4 - $3 * (100 - $1) / 100) * $2)) /dev/zero >"$tree/deployment/filler"
fi
echo prepared
