"""Tasks, one file each, registered in the entry-point group `hippo.tasks`."""
