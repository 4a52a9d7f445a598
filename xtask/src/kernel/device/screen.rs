// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The screen of a machine, seen from outside: QEMU dumps it, and each pixel is compared with a
//! picture that the machine was to draw.
//!
//! The machine asks for this by a line on its console, and reads the answer from its second serial
//! port.

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use serde_json::{
    json,
    Value, //
};
use std::{
    fs::{
        self,
        File, //
    },
    io::{
        BufRead,
        BufReader,
        BufWriter,
        Write, //
    },
    os::unix::net::UnixStream,
    path::{
        Path,
        PathBuf, //
    },
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

/// What the machine is told if the screen shows the picture.
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
        let file = self.path("screen.ppm");
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = Connection::new(&self.path("qmp"), &self.path("port"))?;
                self.connection.insert(connection)
            }
        };

        connection.execute("screendump", json!({ "filename": file }))?;
        let image = Image::parse(&fs::read(&file)?)?;
        let answer = image.difference(seed);
        if answer.is_none() {
            if let Some(png) = self.png.take() {
                image
                    .write(&png)
                    .with_context(|| png.display().to_string())?;
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
            // What happens meanwhile is said, too.
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
#[derive(Debug, PartialEq)]
struct Image {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Image {
    /// Reads an image in QEMU's own format, PPM.
    fn parse(file: &[u8]) -> Result<Self> {
        let mut parts = file.splitn(4, |byte| byte.is_ascii_whitespace());
        let mut word = || {
            let word = parts.next().context("the image has no header")?;
            std::str::from_utf8(word).context("the image has another header")
        };
        ensure!(word()? == "P6", "the image is not in binary PPM");
        let (width, height) = (word()?.parse()?, word()?.parse()?);
        let rest = parts.next().context("the image has no depth")?;
        let bytes = rest
            .strip_prefix(b"255\n")
            .context("the image has another depth")?;
        ensure!(
            bytes.len() == width * height * 3,
            "the image has {} bytes for {width} x {height} pixels",
            bytes.len()
        );

        Ok(Self {
            width,
            height,
            bytes: bytes.to_owned(),
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

    /// Writes it as PNG.
    fn write(&self, path: &Path) -> Result<()> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.width.try_into()?, self.height.try_into()?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes)?;
        writer.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::net::UnixListener,
        thread, //
    };

    /// A screen that shows the picture of a seed, in PPM.
    fn screen(seed: usize) -> Vec<u8> {
        let mut file = format!("P6\n{WIDTH} {HEIGHT}\n255\n").into_bytes();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let pixel = picture(x, y, seed);
                file.extend([16, 8, 0].map(|shift| (pixel >> shift & 0xff) as u8));
            }
        }
        file
    }

    #[test]
    fn a_single_wrong_pixel_is_found() {
        let mut file = screen(7);
        assert_eq!(Image::parse(&file).unwrap().difference(7), None);
        assert_eq!(
            Image::parse(&file).unwrap().difference(8).unwrap(),
            "pixel 0, 0 is 0x070000, not 0x080000"
        );

        *file.last_mut().unwrap() ^= 1;
        assert_eq!(
            Image::parse(&file).unwrap().difference(7).unwrap(),
            "pixel 639, 479 is 0x86dfa1, not 0x86dfa0"
        );
    }

    #[test]
    fn other_sizes_and_formats_are_refused() {
        let small = Image::parse(b"P6\n2 1\n255\nabcdef").unwrap();
        assert_eq!(
            small.difference(0).unwrap(),
            "the screen has 2 x 1 pixels, not 640 x 480"
        );
        for file in [
            b"".as_slice(),
            b"P5\n2 1\n255\nab",
            b"P6\n2 1\n255\nabcde",
            b"P6\n2 1\n65535\nabcdef",
            b"P6\n2 x\n255\nabcdef",
        ] {
            assert!(Image::parse(file).is_err());
        }
    }

    #[test]
    fn a_png_has_the_same_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.png");
        let image = Image::parse(&screen(1)).unwrap();
        image.write(&path).unwrap();

        let file = BufReader::new(File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        bytes.truncate(info.buffer_size());
        assert_eq!((info.width, info.height), (640, 480));
        assert_eq!(bytes, image.bytes);
    }

    /// What takes the place of QEMU: answers each request, and dumps the picture of seed 3.
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
                    fs::write(request["arguments"]["filename"].as_str()?, screen(3)).ok()?;
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
