// SPDX-License-Identifier: Apache-2.0 OR MIT

//! I/O memory: offsets, widths and orders.

use kernel::{
    io::{Io, Mmio, MmioRaw, Region, SysMem},
    prelude::*,
};
use std::{panic::catch_unwind, thread};

/// Memory that is as aligned as a page.
#[repr(align(4096))]
struct Memory([u8; 64]);

impl Memory {
    fn addr(&mut self) -> usize {
        self.0.as_mut_ptr().expose_provenance()
    }

    /// A region of `size` bytes, of which `SIZE` are known.
    fn region<const SIZE: usize>(&mut self, size: usize) -> Result<Mmio<'_, Region<SIZE>>> {
        let raw = MmioRaw::new_region(self.addr(), size)?;
        assert_eq!((raw.size(), raw.addr() % 4096), (size, 0));

        // SAFETY: The memory is there as long as it is borrowed.
        Ok(unsafe { Mmio::from_raw(raw) })
    }
}

/// The message of a panic.
fn report(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *catch_unwind(f)
        .expect_err("no panic")
        .downcast::<String>()
        .expect("no text")
}

#[test]
fn little_endian_at_every_width() -> Result {
    let mut memory = Memory([0; 64]);
    let io = memory.region::<64>(64)?;

    io.write32(0x0403_0201, 0);
    io.write16(0x0605, 4);
    io.write8(7, 6);
    io.try_write64(0x0f0e_0d0c_0b0a_0908, 8)?;
    assert_eq!(
        (io.read8(0), io.read16(2), io.read32(4)),
        (1, 0x0403, 0x0007_0605)
    );
    assert_eq!(io.try_read64(8), Ok(0x0f0e_0d0c_0b0a_0908));
    assert_eq!(io.relaxed().read32(0), 0x0403_0201);
    io.relaxed().write32(5, 60);
    io.update(60_usize, |value: u32| value + 1);
    io.try_update(60_usize, |value: u32| value * 2)?;
    let value: u32 = io.read(60_usize);
    assert_eq!(value, 12);
    assert_eq!(&memory.0[..8], [1, 2, 3, 4, 5, 6, 7, 0]);
    Ok(())
}

#[test]
fn what_is_outside_is_einval() -> Result {
    let mut memory = Memory([0xff; 64]);
    let io = memory.region::<0>(32)?;

    assert_eq!(io.try_read8(31), Ok(0xff));
    for offset in [29, 30, 31, 32, usize::MAX - 3, usize::MAX] {
        assert_eq!(io.try_read32(offset), Err(EINVAL), "{offset}");
        assert_eq!(io.try_write32(0, offset), Err(EINVAL), "{offset}");
        assert_eq!(io.try_update(offset, |_: u32| unreachable!()), Err(EINVAL));
    }
    // Not aligned.
    assert_eq!(io.try_read16(1), Err(EINVAL));
    assert_eq!(io.try_read64(4), Err(EINVAL));
    assert!(memory.0.iter().all(|&byte| byte == 0xff));
    Ok(())
}

#[test]
fn what_the_kernel_does_not_build_is_loud() {
    for offset in [14, 16, 2, usize::MAX] {
        let text = report(move || {
            let mut memory = Memory([0; 64]);
            // There are more bytes than are known.
            memory.region::<16>(64).expect("a region").read32(offset);
        });
        assert!(text.contains("the kernel would not build this"), "{text}");
        let text = report(move || {
            let mut memory = Memory([0; 64]);
            memory
                .region::<16>(64)
                .expect("a region")
                .write32(0, offset);
        });
        assert!(text.contains("in the 16 bytes"), "{text}");
    }
}

#[test]
fn a_region_is_at_least_as_large_as_known() {
    let mut memory = Memory([0; 64]);
    let addr = memory.addr();

    for (addr, size) in [(addr, 16), (addr + 2, 32), (addr, 34)] {
        assert_eq!(
            MmioRaw::<Region<32>>::new_region(addr, size).err(),
            Some(EINVAL)
        );
    }
    assert!(MmioRaw::<Region<32>>::new_region(addr, 32).is_ok());
}

#[test]
fn bytes_are_copied() {
    let mut memory = [0_u8; 16];
    // SAFETY: The memory is valid, and nobody else uses it meanwhile.
    let io = unsafe { SysMem::new(&raw mut memory[..]) };

    assert_eq!((io.len(), io.size(), io.is_empty()), (16, 16, false));
    io.copy_from_slice(b"0123456789abcdef");
    let mut copy = [0; 16];
    io.copy_to_slice(&mut copy);
    assert_eq!(&copy, b"0123456789abcdef");
    assert!(report(move || io.copy_from_slice(&[0; 15])).contains("left == right"));
}

#[test]
fn a_thread_may_play_the_device() -> Result {
    let mut memory = Memory([0; 64]);
    let io = memory.region::<64>(64)?;

    thread::scope(|scope| {
        scope.spawn(|| {
            // A doorbell: the answer comes first.
            while io.read32(0) == 0 {
                thread::yield_now();
            }
            io.relaxed().write32(42, 8);
            io.write32(1, 4);
        });
        io.write32(1, 0);
        while io.read32(4) == 0 {
            thread::yield_now();
        }
        assert_eq!(io.relaxed().read32(8), 42);
    });
    Ok(())
}
