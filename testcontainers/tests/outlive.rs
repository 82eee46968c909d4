//! The broker must not outlive the process that started it, however that one ends. The command line
//! program plays the test process that is killed.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts a broker whose temporary folder lies in `temporary`; its address.
fn start(temporary: &Path) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka"));
    command.args(["--heap-mb", "256"]).env("TMPDIR", temporary);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim().to_owned();
    assert!(TcpStream::connect(&address).is_ok(), "no broker at {address:?}");
    (child, address)
}

fn nothing_is_left(address: &str, temporary: &Path) {
    // Nothing tells that another process's child has gone, so look until it has.
    let deadline = Instant::now() + Duration::from_secs(30);
    let left = || TcpStream::connect(address).is_ok() || temporary.read_dir().unwrap().next().is_some();
    while left() {
        assert!(Instant::now() < deadline, "the broker or its folder is still there after 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut child, address) = start(temporary.path());
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_left(&address, temporary.path());
}

#[test]
fn the_program_ends_well_when_its_input_does() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut child, address) = start(temporary.path());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(&address).is_err(), "the broker should be gone before the program is");
    assert!(temporary.path().read_dir().unwrap().next().is_none(), "the folder should be gone too");
}

#[test]
fn the_program_ends_well_when_it_is_terminated() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut child, address) = start(temporary.path());
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    nothing_is_left(&address, temporary.path());
}
