"""What the processes of a session read and change, seen at the system call; where that cannot be, from inside Python."""
