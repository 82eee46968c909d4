//! Child processes that cannot outlive their parent.
//!
//! Destructors do not run when a test process is killed, nor for statics. What always happens is
//! that the kernel closes the process's files. So each child comes with a small shell that holds the
//! reading end of a pipe whose only writing end is ours: at its end of file the shell kills and
//! cleans up. Both run in a process group of their own, out of reach of a Ctrl-C in the terminal, which
//! would otherwise end the shell before it has done its work.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// `$1` is the folder to remove once the parent is gone; the rest is the command. The command takes
/// over the shell's process, so that the process id we know is the command's own.
///
/// The watcher tries several times to remove the folder, since the process may still be writing
/// while it dies.
const RUN_GUARDED: &str = r#"
folder=$1; shift
exec 3<&0 </dev/null
(
    while read -r order <&3; do
        case $order in
            terminate) kill -TERM $$ ;;
            gone) exit 0 ;;
        esac
    done
    kill -KILL $$
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf -- "$folder" && exit 0
        sleep 0.2
    done
) >/dev/null 2>&1 &
exec "$@" 3<&-
"#;

/// Waits for the end of its input, then runs the script in `$1`.
const RUN_AT_END: &str = r#"cat >/dev/null; eval "$1" >/dev/null 2>&1"#;

/// A running command that is killed when this value is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    orders: ChildStdin,
    gone: bool,
}

impl Guarded {
    /// Starts `command` with both its outputs appended to `log`. If this process ends first, `folder`
    /// is removed after the command was killed.
    pub(crate) fn spawn(command: &Command, folder: &Path, log: File) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(RUN_GUARDED).arg("guard").arg(folder);
        shell.arg(command.get_program()).args(command.get_args());
        shell.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = shell.spawn()?;
        let orders = child.stdin.take().ok_or_else(|| io::Error::other("the shell has no standard input"))?;
        Ok(Self { child, orders, gone: false })
    }

    /// The process id of the command itself.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the command to end (SIGTERM). Follow with [`Guarded::exited`] to see whether it did.
    pub(crate) fn terminate(&mut self) -> io::Result<()> {
        self.orders.write_all(b"terminate\n")
    }

    /// How the command ended; `None` while it runs.
    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.dismiss();
        }
        Ok(status)
    }

    /// Kills the command (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if !self.gone {
            self.child.kill()?;
            self.child.wait()?;
            self.dismiss();
        }
        Ok(())
    }

    /// Sends the watcher home. The process id may be given to another process from now on, so the
    /// watcher must not kill it.
    fn dismiss(&mut self) {
        if !self.gone {
            // The watcher may be gone too, if someone killed it: then there is no one to send home.
            let _ = self.orders.write_all(b"gone\n");
            self.gone = true;
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // A process that cannot be killed is left to the watcher, whose input ends now.
        let _ = self.kill();
    }
}

/// A shell script that runs when this value is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct AtEnd {
    shell: Child,
}

impl AtEnd {
    /// Arms `script`.
    pub(crate) fn run(script: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(RUN_AT_END).arg("guard").arg(script);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Self { shell: shell.spawn()? })
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        // `wait` closes the shell's input first, which is what lets the script run. It fails only if the shell
        // was never there.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn spawn(script: &str, folder: &Path) -> Guarded {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        let log = File::create(folder.join("log")).unwrap();
        Guarded::spawn(&command, folder, log).unwrap()
    }

    fn alive(pid: u32) -> bool {
        let status =
            Command::new("kill").arg("-0").arg(pid.to_string()).stderr(Stdio::null()).status().unwrap();
        status.success()
    }

    fn eventually(mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "did not happen within 20 s");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn dropping_kills_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let mut guarded = spawn("exec sleep 600", folder.path());
        let pid = guarded.pid();
        assert!(guarded.exited().unwrap().is_none() && alive(pid));
        drop(guarded);
        assert!(!alive(pid));
        assert!(folder.path().exists(), "the folder is the caller's as long as he lives");
    }

    #[test]
    fn end_of_the_pipe_kills_the_command_and_removes_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        let mut guarded = spawn("exec sleep 600", &folder);
        // What the kernel does to a killed process: its end of the pipe is closed, nothing is written.
        let closed = Command::new("true").stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap();
        drop(std::mem::replace(&mut guarded.orders, closed));
        eventually(|| guarded.child.try_wait().unwrap().is_some());
        eventually(|| !folder.exists());
        guarded.gone = true;
    }

    #[test]
    fn terminate_lets_the_command_clean_up() {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let script = format!("trap 'exit 7' TERM; touch {}; while :; do sleep 0.05; done", ready.display());
        let mut guarded = spawn(&script, folder.path());
        eventually(|| ready.exists());
        guarded.terminate().unwrap();
        let mut status = None;
        eventually(|| {
            status = guarded.exited().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(7));
    }

    #[test]
    fn the_script_runs_at_the_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let guard = AtEnd::run(&format!("touch '{}'", mark.display())).unwrap();
        assert!(!mark.exists());
        drop(guard);
        assert!(mark.exists());
    }
}
