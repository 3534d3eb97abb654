"""Nothing is lost: accepted tasks and their steps on disk, and how they go on after a crash."""
