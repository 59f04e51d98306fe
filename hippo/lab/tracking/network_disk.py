"""Whether a file is on a network disk, where SQLite is not safe."""

from pathlib import Path

import psutil

TYPES = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs"),
    *("lustre", "gpfs", "mmfs", "beegfs", "fhgfs", "ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs"),
    *("orangefs", "pvfs2", "panfs", "wekafs", "gfs2", "ocfs2", "davfs", "fuse.juicefs", "moosefs", "fuse.mfs"),
}


def network_disk(path: Path) -> str | None:
    """Return the type of the network file system that holds `path`, which need not exist; None for a local disk."""
    place = path.absolute()
    place = next(parent for parent in (place, *place.parents) if parent.exists()).resolve()
    mounted = [disk for disk in psutil.disk_partitions(all=True) if place.is_relative_to(disk.mountpoint)]
    if not mounted:
        return None
    # Of file systems mounted over each other, the last is the one in use.
    deepest = max(enumerate(mounted), key=lambda entry: (len(Path(entry[1].mountpoint).parts), entry[0]))[1]
    return deepest.fstype if deepest.fstype.lower() in TYPES else None
