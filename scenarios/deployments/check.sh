#!/bin/sh
# After a deployment or rollback that may have been broken off anywhere: runs the next command, then looks at everything.
# check.sh <fracas> <scenarios/deployments>
fracas=$1 here=$2 installed=/tmp/tree/.venv/lib/exo
complain() { echo "wrong: $*"; }
"$fracas" backups --tree /tmp/tree >/tmp/sums/backups 2>&1 || complain "the next command: $(cat /tmp/sums/backups)"
case "$("$here/sum.sh" /tmp/tree)" in
"$(cat /tmp/sums/old)") release=old ;;
"$(cat /tmp/sums/new)") release=new ;;
*) release=torn; complain "torn: the tree is neither the old nor the new release" ;;
esac
serves=$(curl -s -m 10 http://127.0.0.1:5000/health)
[ "$serves" = "$release" ] || complain "the tree is $release, but what serves is '$serves'"
"$fracas" service status --tree /tmp/tree >/dev/null || complain "the service does not run"
# What is installed, byte for byte, is what the tree installs.
install_is_whole() {
    [ -e "$installed/COMPLETE" ] && cmp -s /tmp/tree/pyproject.toml "$installed/METADATA" || return 1
    if [ -d /tmp/tree/tools ]; then diff -r /tmp/tree/tools "$installed/tools" >/dev/null; else [ ! -e "$installed/tools" ]; fi
}
install_is_whole || complain "the tree is $release, but what is installed is not: $(head -n 3 "$installed/METADATA" 2>&1 | tail -n 1)"
for name in .journal .staging .exchange-a .exchange-b .journal.new .service.new .state.new; do
    [ ! -e "/tmp/tree/deployment/$name" ] || complain "$name is left"
done
ls -A /tmp/tree/deployment/backups /tmp/tree/deployment/safety 2>/dev/null | grep '^\.' && complain "part of a backup is left"
# And the deployment still works from here.
"$fracas" deploy --tree /tmp/tree >/tmp/sums/deploy 2>&1 || complain "a deployment afterwards: $(cat /tmp/sums/deploy)"
[ "$("$here/sum.sh" /tmp/tree)" = "$(cat /tmp/sums/new)" ] || complain "the deployment afterwards came to something else"
install_is_whole || complain "the deployment afterwards did not install what it deployed"
"$fracas" service stop --tree /tmp/tree --force >/dev/null || complain "the service does not stop"
echo "release: $release"
# It may be a disk of its own.
umount -l /tmp/tree 2>/dev/null || true
rm -rf /tmp/tree /tmp/sums
