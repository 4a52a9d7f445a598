// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The screen of a machine, seen from outside: QEMU dumps it, and each pixel is compared with a
//! picture that the machine was to draw.
//!
//! The machine asks for this by a line on its console, and reads the answer from its second serial
//! port.

use anyhow::{ensure, Context, Result};
use serde_json::{json, Deserializer, Value};
use std::{
    fs,
    io::Write,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the pictures.
const WIDTH: usize = 640;
const HEIGHT: usize = 480;

/// The begin of a dump with that size, in PPM: three bytes for each pixel follow.
const HEADER: &str = "P6\n640 480\n255\n";

/// A dump of the picture of a seed, as `picture()` in `kernel/user/host.h` has it.
fn picture(seed: usize) -> Vec<u8> {
    let pixels = (0..WIDTH * HEIGHT).flat_map(|at| {
        let (x, y) = (at % WIDTH, at / WIDTH);
        [x + seed, y, x ^ y].map(|color| (color & 0xff) as u8)
    });
    HEADER.bytes().chain(pixels).collect()
}

/// The answer to the machine if the screen shows the picture.
const SAME: &str = "the same";

/// The screen of a machine that was started with [`Screen::arguments()`].
pub(crate) struct Screen {
    /// The folder of the sockets.
    folder: TempDir,
    /// Where the last screen is kept, in PPM.
    file: PathBuf,
    /// The machine's second serial port, from the first answer on.
    port: Option<UnixStream>,
}

impl Screen {
    /// The screen of a machine that is not started yet.
    pub(crate) fn new(file: PathBuf) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            file,
            port: None,
        })
    }

    /// What QEMU is started with, behind the first serial port.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let socket = |name: &str| {
            // A comma would begin another option.
            let path = self.path(name).display().to_string().replace(',', ",,");
            format!("unix:{path},server=on,wait=off")
        };

        ["-qmp", &socket("qmp"), "-serial", &socket("port")].map(str::to_owned)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compares the screen with the picture of a seed, and tells the machine.
    pub(crate) fn compare(&mut self, seed: usize) -> Result<()> {
        let arguments = json!({ "filename": self.file, "format": "ppm" });
        execute(&self.path("qmp"), "screendump", arguments)?;
        let answer = difference(&fs::read(&self.file)?, seed);
        let mut port = match self.port.take() {
            Some(port) => port,
            None => {
                UnixStream::connect(self.path("port")).context("the machine cannot be talked to")?
            }
        };
        writeln!(port, "{}", answer.as_deref().unwrap_or(SAME))?;
        self.port = Some(port);
        Ok(())
    }
}

/// Has QEMU do something, and waits until it is done.
fn execute(qmp: &Path, command: &str, arguments: Value) -> Result<()> {
    let mut qmp = UnixStream::connect(qmp).context("QEMU cannot be talked to")?;
    qmp.set_read_timeout(Some(PATIENCE))?;
    let mut answers = Deserializer::from_reader(qmp.try_clone()?).into_iter::<Value>();
    // QEMU greets, and expects the first of these before any other.
    for (command, arguments) in [("qmp_capabilities", json!({})), (command, arguments)] {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(qmp, "{request}")?;
        loop {
            let answer = answers.next().context("QEMU has ended")?;
            let answer = answer.context("QEMU does not answer")?;
            if answer.get("return").is_some() {
                break;
            }
            // QEMU also reports events meanwhile.
            ensure!(
                answer.get("QMP").or(answer.get("event")).is_some(),
                "QEMU cannot do `{command}`: {answer}"
            );
        }
    }
    Ok(())
}

/// How a dump of the screen differs from the picture of a seed, in a line.
fn difference(dump: &[u8], seed: usize) -> Option<String> {
    let Some(pixels) = dump.strip_prefix(HEADER.as_bytes()) else {
        let begin = dump[..dump.len().min(HEADER.len())].escape_ascii();
        return Some(format!("the screen is {begin}, not {HEADER:?}"));
    };
    let expected = picture(seed);
    if dump.len() != expected.len() {
        return Some(format!("the screen has {} bytes", pixels.len()));
    }

    let expected = expected[HEADER.len()..].chunks_exact(3);
    let mut pixels = pixels.chunks_exact(3).zip(expected).enumerate();
    let (at, (pixel, expected)) = pixels.find(|(_, (pixel, expected))| pixel != expected)?;
    // `kernel/user/vram.c` expects this text of a pixel that it has spoilt.
    let [pixel, expected] = [pixel, expected].map(|pixel| {
        let colors = pixel.iter().map(|color| format!("{color:02x}"));
        colors.collect::<String>()
    });
    let (x, y) = (at % WIDTH, at / WIDTH);
    Some(format!("pixel {x}, {y} is 0x{pixel}, not 0x{expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader},
        os::unix::net::UnixListener,
        thread,
    };

    #[test]
    fn a_single_wrong_pixel_is_found() {
        let mut wrong = picture(7);
        *wrong.last_mut().unwrap() ^= 1;
        let short = &picture(7)[..HEADER.len() + 6];

        assert_eq!(difference(&picture(7), 7), None);
        for (dump, expected) in [
            (&picture(8)[..], "pixel 0, 0 is 0x080000, not 0x070000"),
            (&wrong, "pixel 639, 479 is 0x86dfa1, not 0x86dfa0"),
            (short, "the screen has 6 bytes"),
            (
                b"P6\n2 1\n255\nabcdef",
                "the screen is P6\\n2 1\\n255\\nabcd, not \"P6\\n640 480\\n255\\n\"",
            ),
        ] {
            assert_eq!(difference(dump, 7).unwrap(), expected);
        }
    }

    /// Stands in for QEMU: answers each request, and dumps the picture of seed 3.
    fn qemu(listener: &UnixListener) -> Option<()> {
        loop {
            let (stream, _) = listener.accept().ok()?;
            // In one piece, as the other side may close when it has read the last character.
            let say = |text: &str| (&stream).write_all(format!("{text}\n").as_bytes()).ok();
            say(r#"{"QMP": {}}"#)?;
            for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                let request: Value = serde_json::from_str(&line).ok()?;
                say(r#"{"event": "RESUME"}"#)?;
                match request["execute"].as_str()? {
                    "qmp_capabilities" => (),
                    "screendump" => {
                        fs::write(request["arguments"]["filename"].as_str()?, picture(3)).ok()?;
                    }
                    _ => return say(r#"{"error": {}}"#),
                }
                say(r#"{"return": {}}"#)?;
            }
        }
    }

    #[test]
    fn the_machine_is_told() {
        let folder = tempfile::Builder::new().prefix("a,b").tempdir().unwrap();
        let mut screen = Screen::new(folder.path().join("screen.ppm")).unwrap();
        screen.folder = folder;
        // A comma would begin another option of QEMU.
        assert!(screen.arguments()[1].contains("a,,b"));
        let qmp = UnixListener::bind(screen.path("qmp")).unwrap();
        let port = UnixListener::bind(screen.path("port")).unwrap();
        let qemu = thread::spawn(move || qemu(&qmp));

        screen.compare(2).unwrap();
        screen.compare(3).unwrap();
        let error = execute(&screen.path("qmp"), "quit", json!({})).unwrap_err();
        assert_eq!(error.to_string(), r#"QEMU cannot do `quit`: {"error":{}}"#);
        assert_eq!(qemu.join().unwrap(), Some(()));
        drop(screen);

        let (port, _) = port.accept().unwrap();
        let told: Vec<String> = BufReader::new(port).lines().map(Result::unwrap).collect();
        assert_eq!(told, ["pixel 0, 0 is 0x030000, not 0x020000", "the same"]);
    }
}
