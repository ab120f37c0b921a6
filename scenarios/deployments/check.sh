#!/bin/sh
# After a deployment or rollback that may have been broken off anywhere: runs the next command, then looks at everything.
# check.sh <fracas> <scenarios/deployments>
fracas=$1 here=$2
complain() { echo "wrong: $*"; }
"$fracas" backups --tree /tmp/tree >/tmp/sums/backups 2>&1 || complain "the next command: $(cat /tmp/sums/backups)"
case "$("$here/sum.sh" /tmp/tree/src)" in
"$(cat /tmp/sums/old)") release=old ;;
"$(cat /tmp/sums/new)") release=new ;;
*) release=torn; complain "torn: the tree is neither the old nor the new release" ;;
esac
serves=$(curl -s -m 10 http://127.0.0.1:5000/health)
[ "$serves" = "$release" ] || complain "the tree is $release, but what serves is '$serves'"
"$fracas" service status --tree /tmp/tree >/dev/null || complain "the service does not run"
for name in .journal .staging .exchange-a .exchange-b .journal.new .service.new .state.new; do
    [ ! -e "/tmp/tree/deployment/$name" ] || complain "$name is left"
done
ls -A /tmp/tree/deployment/backups | grep '^\.' && complain "part of a backup is left"
# And the deployment still works from here.
"$fracas" deploy --tree /tmp/tree >/tmp/sums/deploy 2>&1 || complain "a deployment afterwards: $(cat /tmp/sums/deploy)"
[ "$("$here/sum.sh" /tmp/tree/src)" = "$(cat /tmp/sums/new)" ] || complain "the deployment afterwards came to something else"
"$fracas" service stop --tree /tmp/tree --force >/dev/null || complain "the service does not stop"
echo "release: $release"
rm -rf /tmp/tree /tmp/sums
