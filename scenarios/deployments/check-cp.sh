#!/bin/sh
# After the control: is the tree the old or the new release?
sum=$("$1/sum.sh" /tmp/tree)
case "$sum" in
"$(cat /tmp/sums/old)") echo "release: old" ;;
"$(cat /tmp/sums/new)") echo "release: new" ;;
*) echo "wrong: torn: the tree is neither the old nor the new release" ;;
esac
rm -rf /tmp/tree /tmp/sums
