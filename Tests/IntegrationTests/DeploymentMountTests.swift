import Foundation
import Testing

/// Files of others, and mounts: what cannot be exchanged is found before anything is changed, what cannot be removed is in nobody's way.
@Suite("Deployments among mounts and other users", .serialized, .enabled(if: geteuid() == 0, "mounting needs root"))
struct DeploymentMountTests {
    private static let overlay = """
        mount -t tmpfs none "$2"; (cd "$2"; mkdir lower upper work merged); cp -a "$1" "$2/lower/tree"
        """

    /// Expects that a deployment is refused by everyone who is asked, with the service running on.
    private func refused(
        mount: String? = nil, _ prepare: String, check: String = "names to be replaced", says: String, back: String
    ) throws {
        let result = try OnDisk.run(
            mount: mount,
            """
            "$FRACAS" service start --tree .
            \(prepare)
            runs=$("$FRACAS" service status --tree .)
            rc=0; "$FRACAS" deploy --dry-run --tree . >../out 2>&1 || rc=$?; cat ../out; [ $rc = 2 ]; grep -q '\(says)' ../out
            "$FRACAS" doctor --deployment --tree . | grep 'FAILED   \(check): .*\(says)'
            rc=0; "$FRACAS" deploy --tree . >../out 2>&1 || rc=$?; cat ../out; [ $rc = 2 ]; grep -q '\(says)' ../out
            [ "$("$FRACAS" service status --tree .)" = "$runs" ]; serves; settled; [ "$(release)" = old ]
            \(back)
            "$FRACAS" deploy --tree .
            [ "$(release)" = new ]; serves; settled
            "$FRACAS" rollback latest --tree .
            [ "$(release)" = old ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// With what the message says the same deployment goes through.
    @Test func theLowerLayerOfAnOverlay() throws {
        let merged =
            "(cd \"$2\"; mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged; ln -s merged/tree tree)"
        try refused(
            mount: "\(Self.overlay)\n\(merged)", "", says: "is in a lower layer of an overlay",
            back: "cp -a src src.up; rm -r src; mv src.up src")
    }

    @Test func anOverlayThatRenames() throws {
        let merged =
            "(cd \"$2\"; mount -t overlay -o redirect_dir=on,lowerdir=lower,upperdir=upper,workdir=work none merged; ln -s merged/tree tree)"
        let result = try OnDisk.run(
            mount: "\(Self.overlay)\n\(merged)",
            """
            "$FRACAS" service start --tree .
            printf old >top; printf new >releases/fixed/top
            "$FRACAS" deploy --tree .; [ "$(release)$(cat top)" = newnew ]; serves; settled
            "$FRACAS" rollback latest --tree .; [ "$(release)$(cat top)" = oldold ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// A file of a lower layer is copied up when it is renamed, and may have another number then.
    @Test func aFileOfALowerLayer() throws {
        let mounts = """
            (cd "$2"; mount -t tmpfs none upper; mkdir upper/u upper/w; printf old >lower/tree/top; printf new >lower/tree/releases/fixed/top
            mv lower/tree/src upper/src
            mount -t overlay -o lowerdir=lower,upperdir=upper/u,workdir=upper/w none merged; ln -s merged/tree tree; cp -a upper/src tree/src)
            """
        let result = try OnDisk.run(
            mount: "\(Self.overlay)\n\(mounts)",
            """
            "$FRACAS" service start --tree .
            "$FRACAS" deploy --tree .; [ "$(release)$(cat top)" = newnew ]; serves; settled
            "$FRACAS" rollback latest --tree .; [ "$(release)$(cat top)" = oldold ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    @Test(arguments: [("src", "something is mounted on .*/src. "), ("src/a", "something is mounted on .*/src/a.")])
    func aMount(on path: String, says: String) throws {
        try refused(
            "mount --bind \(path) \(path)", says: says,
            back: "umount \(path)")
    }

    @Test func theDeploymentsDirectoryIsAMount() throws {
        try refused(
            "mount --bind deployment deployment; cd .", says: "is a mount of its own",
            back: "umount deployment")
    }

    @Test(arguments: ["src", ".", "deployment"])
    func whatCannotBeRenamed(path: String) throws {
        try refused(
            "chattr +i \(path)", check: path == "src" ? "names to be replaced" : "project root", says: "chattr -i",
            back: "chattr -i \(path)")
    }

    /// A mount elsewhere in the tree is nobody's business.
    @Test func aMountBesideIsNoReason() throws {
        let result = try OnDisk.run(
            """
            mkdir data; mount -t tmpfs none data; echo kept >data/file
            "$FRACAS" service start --tree .
            "$FRACAS" deploy --tree .; [ "$(release)" = new ]; serves; settled; [ "$(cat data/file)" = kept ]
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// What is mounted below what was replaced, after all, keeps its content.
    @Test func aMountThatComesMeanwhile() throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            mkdir ../data; echo kept >../data/file
            printf 'mount --bind ../data deployment/.staging/src/a' >../test.sh
            "$FRACAS" deploy --tree . --set "TEST_COMMAND=/bin/sh ../test.sh" 2>../errors
            [ "$(release)" = new ]; serves; settled; [ "$(cat ../data/file)" = kept ]
            grep 'left behind: .*findmnt' ../errors
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// The cache that a root's Python leaves: told, in nobody's way, and gone when root deploys.
    @Test(.enabled(if: access("/usr/bin/python3", X_OK) == 0, "another user needs an interpreter it can reach"))
    func filesOfAnotherUser() throws {
        let result = try OnDisk.run(
            """
            chown -R 65534:65534 .; chmod a+rwx ..
            sed -i 's#^PYTHON=.*#PYTHON=/usr/bin/python3#' deployment/config/local.conf
            as() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
            mkdir src/a/__pycache__; echo x >src/a/__pycache__/c.cpython-311.pyc
            as "$FRACAS" service start --tree .
            as "$FRACAS" deploy --dry-run --tree . >../out 2>&1; grep "files to be removed: .*__pycache__" ../out
            as "$FRACAS" doctor --deployment --tree . | grep "warning  files to be removed: this user cannot remove .*__pycache__"
            as "$FRACAS" deploy --tree . 2>../errors; [ "$(release)" = new ]; serves; settled
            grep 'warning: left behind: .*__pycache__.*as root: rm -r' ../errors
            as "$FRACAS" rollback latest --tree .; [ "$(release)" = old ]; serves; settled
            as "$FRACAS" backups --tree .
            as "$FRACAS" deploy --tree . 2>../errors; [ "$(release)" = new ]; serves; settled; ! grep warning: ../errors
            as "$FRACAS" doctor --deployment --tree . | grep "warning  left behind: .*\\.left-"
            as "$FRACAS" service stop --force --tree .
            chown -R 0:0 .; chmod go-w ..; "$FRACAS" deploy --tree .; ! ls -d deployment/.left-*
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// A directory of another user at the top cannot be exchanged at all.
    @Test(.enabled(if: access("/usr/bin/python3", X_OK) == 0, "another user needs an interpreter it can reach"))
    func aDirectoryOfAnotherUser() throws {
        let result = try OnDisk.run(
            """
            chown -R 65534:65534 .; chown 0:0 src; chmod a+rwx ..
            sed -i 's#^PYTHON=.*#PYTHON=/usr/bin/python3#' deployment/config/local.conf
            as() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
            as "$FRACAS" service start --tree .
            runs=$(as "$FRACAS" service status --tree .)
            rc=0; as "$FRACAS" deploy --tree . 2>../errors || rc=$?; cat ../errors; [ $rc = 2 ]
            grep 'belongs to user 0 and cannot be written by this one' ../errors
            [ "$(as "$FRACAS" service status --tree .)" = "$runs" ]; serves; settled
            chown 65534 src
            as "$FRACAS" deploy --tree .; [ "$(release)" = new ]; serves; settled
            as "$FRACAS" service stop --force --tree .; chown -R 0:0 .; chmod go-w ..
            """)
        #expect(result.isWell, "\(result.text)")
    }

    @Test func aFileThatCannotBeRemoved() throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            chattr +i src/a/b/c
            "$FRACAS" deploy --tree . 2>../errors; [ "$(release)" = new ]; serves; settled
            grep 'left behind: .*/src/a/b/c. cannot be removed .*chattr -R -i' ../errors
            "$FRACAS" rollback latest --tree .; [ "$(release)" = old ]; serves; settled
            chattr -R -i deployment/.left-*
            "$FRACAS" deploy --tree . 2>../errors; ! grep warning: ../errors; ! ls -d deployment/.left-*
            """)
        #expect(result.isWell, "\(result.text)")
    }
}
