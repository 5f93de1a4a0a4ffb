"""What the processes of a session read and change: seen at the system call, or else from inside Python."""
