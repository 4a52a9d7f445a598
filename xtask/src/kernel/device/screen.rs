// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The screen of a machine, seen from outside: QEMU dumps it, and each pixel is compared with a
//! picture that the machine was to draw.
//!
//! The machine asks for this by a line on its console, and reads the answer from its second serial
//! port.

use anyhow::{bail, ensure, Context, Result};
use png::{BitDepth, ColorType};
use serde_json::{json, Value};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
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

/// A pixel of the picture of a seed, as `picture()` in `kernel/user/host.h` has it.
fn picture(x: usize, y: usize, seed: usize) -> usize {
    ((x + seed) & 0xff) << 16 | (y & 0xff) << 8 | ((x ^ y) & 0xff)
}

/// The answer to the machine if the screen shows the picture.
const SAME: &str = "the same";

/// The screen of a machine that was started with [`Screen::arguments()`].
pub(crate) struct Screen {
    folder: TempDir,
    /// Where the first screen goes that shows its picture.
    png: Option<PathBuf>,
    connection: Option<Connection>,
}

/// The sockets of the machine.
struct Connection {
    qmp: BufReader<UnixStream>,
    port: UnixStream,
}

impl Screen {
    /// The screen of a machine that is not started yet.
    pub(crate) fn new(png: Option<&Path>) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            png: png.map(Path::to_owned),
            connection: None,
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
        let file = self.path("screen.png");
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = Connection::new(&self.path("qmp"), &self.path("port"))?;
                self.connection.insert(connection)
            }
        };

        connection.execute("screendump", json!({ "filename": file, "format": "png" }))?;
        let answer = Image::read(&file)?.difference(seed);
        if answer.is_none() {
            if let Some(png) = self.png.take() {
                fs::copy(&file, &png).with_context(|| png.display().to_string())?;
                println!("screen   {}", png.display());
            }
        }
        writeln!(connection.port, "{}", answer.as_deref().unwrap_or(SAME))?;
        Ok(())
    }

    /// Fails if there is still no picture to write.
    pub(crate) fn finish(self) -> Result<()> {
        match self.png {
            Some(png) => bail!(
                "no screen was as it should be: {} is not written",
                png.display()
            ),
            None => Ok(()),
        }
    }
}

impl Connection {
    fn new(qmp: &Path, port: &Path) -> Result<Self> {
        let qmp = UnixStream::connect(qmp).context("QEMU cannot be talked to")?;
        qmp.set_read_timeout(Some(PATIENCE))?;
        let port = UnixStream::connect(port).context("the machine cannot be talked to")?;
        let mut connection = Self {
            qmp: BufReader::new(qmp),
            port,
        };

        let greeting = connection.read()?;
        ensure!(greeting.get("QMP").is_some(), "QEMU says {greeting}");
        connection.execute("qmp_capabilities", json!({}))?;
        Ok(connection)
    }

    /// Has QEMU do something, and waits until it is done.
    fn execute(&mut self, command: &str, arguments: Value) -> Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.qmp.get_ref(), "{request}")?;

        loop {
            let answer = self.read()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            // QEMU also reports events meanwhile.
            ensure!(
                answer.get("event").is_some(),
                "QEMU cannot do `{command}`: {answer}"
            );
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.qmp
            .read_line(&mut line)
            .context("QEMU does not answer")?;
        serde_json::from_str(&line).with_context(|| format!("QEMU says `{}`", line.trim_end()))
    }
}

/// An image, with three bytes for each pixel.
struct Image {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Image {
    /// Reads what QEMU has written, PNG without an alpha channel.
    fn read(file: &Path) -> Result<Self> {
        let mut reader = png::Decoder::new(BufReader::new(File::open(file)?)).read_info()?;
        let format = reader.output_color_type();
        ensure!(
            format == (ColorType::Rgb, BitDepth::Eight),
            "the image has pixels of another format: {format:?}"
        );
        let size = reader
            .output_buffer_size()
            .context("the image is too large")?;
        let mut bytes = vec![0; size];
        let info = reader.next_frame(&mut bytes)?;

        Ok(Self {
            width: info.width.try_into()?,
            height: info.height.try_into()?,
            bytes,
        })
    }

    /// How this differs from the picture of a seed, in a line.
    fn difference(&self, seed: usize) -> Option<String> {
        if (self.width, self.height) != (WIDTH, HEIGHT) {
            return Some(format!(
                "the screen has {} x {} pixels, not {WIDTH} x {HEIGHT}",
                self.width, self.height
            ));
        }

        self.bytes
            .chunks_exact(3)
            .enumerate()
            .find_map(|(index, rgb)| {
                let (x, y) = (index % WIDTH, index / WIDTH);
                let expected = picture(x, y, seed);
                let pixel = rgb
                    .iter()
                    .fold(0, |all, byte| all << 8 | usize::from(*byte));

                (pixel != expected)
                    .then(|| format!("pixel {x}, {y} is {pixel:#08x}, not {expected:#08x}"))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::net::UnixListener, thread};

    /// Writes a screen that shows the picture of a seed, but for the last bytes.
    fn write(
        path: &Path,
        (width, height): (usize, usize),
        color: ColorType,
        seed: usize,
        last: u8,
    ) {
        let mut encoder = png::Encoder::new(
            File::create(path).unwrap(),
            width.try_into().unwrap(),
            height.try_into().unwrap(),
        );
        encoder.set_color(color);
        let mut bytes = Vec::new();
        for index in 0..width * height {
            let pixel = picture(index % width, index / width, seed);
            bytes.extend([16, 8, 0].map(|shift| (pixel >> shift & 0xff) as u8));
        }
        bytes.truncate(width * height * color.samples());
        *bytes.last_mut().unwrap() ^= last;

        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&bytes).unwrap();
    }

    /// The screen with the picture of a seed.
    fn draw(path: &Path, seed: usize) {
        write(path, (WIDTH, HEIGHT), ColorType::Rgb, seed, 0);
    }

    fn difference(path: &Path, seed: usize) -> Option<String> {
        Image::read(path).unwrap().difference(seed)
    }

    #[test]
    fn a_single_wrong_pixel_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.png");
        draw(&path, 7);
        assert_eq!(difference(&path, 7), None);
        assert_eq!(
            difference(&path, 8).unwrap(),
            "pixel 0, 0 is 0x070000, not 0x080000"
        );

        write(&path, (WIDTH, HEIGHT), ColorType::Rgb, 7, 1);
        assert_eq!(
            difference(&path, 7).unwrap(),
            "pixel 639, 479 is 0x86dfa1, not 0x86dfa0"
        );
    }

    #[test]
    fn other_sizes_and_formats_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.png");
        write(&path, (2, 1), ColorType::Rgb, 0, 0);
        assert_eq!(
            difference(&path, 0).unwrap(),
            "the screen has 2 x 1 pixels, not 640 x 480"
        );

        write(&path, (2, 1), ColorType::Grayscale, 0, 0);
        assert!(Image::read(&path).is_err());
        fs::write(&path, "P6\n2 1\n255\nabcdef").unwrap();
        assert!(Image::read(&path).is_err());
    }

    /// Stands in for QEMU: answers each request, and dumps the picture of seed 3.
    fn qemu(listener: &UnixListener) -> Option<()> {
        let (stream, _) = listener.accept().ok()?;
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let say = |text: &str| writeln!(&stream, "{text}").ok();

        say(r#"{"QMP": {}}"#)?;
        while let Some(Ok(line)) = lines.next() {
            let request: Value = serde_json::from_str(&line).ok()?;
            say(r#"{"event": "RESUME"}"#)?;
            match request["execute"].as_str()? {
                "qmp_capabilities" => (),
                "screendump" => {
                    draw(Path::new(request["arguments"]["filename"].as_str()?), 3);
                }
                _ => return say(r#"{"error": {}}"#),
            }
            say(r#"{"return": {}}"#)?;
        }
        Some(())
    }

    #[test]
    fn the_machine_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let png = folder.path().join("screen.png");
        let mut screen = Screen::new(Some(&png)).unwrap();
        let qmp = UnixListener::bind(screen.path("qmp")).unwrap();
        let port = UnixListener::bind(screen.path("port")).unwrap();
        let qemu = thread::spawn(move || qemu(&qmp));

        screen.compare(2).unwrap();
        assert!(!png.exists());
        screen.compare(3).unwrap();
        assert!(png.exists());
        let connection = screen.connection.as_mut().unwrap();
        let error = connection.execute("quit", json!({})).unwrap_err();
        assert_eq!(error.to_string(), r#"QEMU cannot do `quit`: {"error":{}}"#);
        screen.finish().unwrap();
        assert_eq!(qemu.join().unwrap(), Some(()));

        let (port, _) = port.accept().unwrap();
        let told: Vec<String> = BufReader::new(port).lines().map(Result::unwrap).collect();
        assert_eq!(told, ["pixel 0, 0 is 0x030000, not 0x020000", "the same"]);
    }

    #[test]
    fn a_picture_that_was_not_drawn_is_missed() {
        let error = Screen::new(Some(Path::new("a.png"))).unwrap().finish();
        assert!(error
            .unwrap_err()
            .to_string()
            .ends_with("a.png is not written"));
        Screen::new(None).unwrap().finish().unwrap();
    }

    #[test]
    fn paths_with_commas_are_one_option() {
        let mut screen = Screen::new(None).unwrap();
        screen.folder = tempfile::Builder::new().prefix("a,b").tempdir().unwrap();
        let arguments = screen.arguments();
        let qmp = &arguments[1];

        assert!(qmp.contains("a,,b"), "{qmp}");
        assert!(qmp.ends_with("/qmp,server=on,wait=off"), "{qmp}");
    }
}
