// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types that are as good as their bytes. Stands for `rust/kernel/transmute.rs`.

/// A type that any bytes are a value of.
///
/// # Safety
///
/// They are, and the type has no `Cell` in it.
pub unsafe trait FromBytes {
    /// Returns the value that `bytes` are, or [`None`] if they are too many, too few, or not
    /// aligned.
    fn from_bytes(bytes: &[u8]) -> Option<&Self>
    where
        Self: Sized,
    {
        let value = bytes.as_ptr().cast::<Self>();
        if bytes.len() != size_of::<Self>() || !value.is_aligned() {
            return None;
        }

        // SAFETY: The bytes are as many, aligned, and any are a value.
        Some(unsafe { &*value })
    }
}

/// A type whose bytes are all initialised.
///
/// # Safety
///
/// They are: the type has no padding. It has no `Cell` in it.
pub unsafe trait AsBytes {
    /// Returns the bytes of the value.
    fn as_bytes(&self) -> &[u8] {
        let bytes = (&raw const *self).cast::<u8>();

        // SAFETY: All bytes of the value are initialised, and do not change.
        unsafe { core::slice::from_raw_parts(bytes, size_of_val(self)) }
    }
}

macro_rules! integers {
    ($( $ty:ty ),*) => {
        $(
            // SAFETY: Any bytes are an integer.
            unsafe impl FromBytes for $ty {}
            // SAFETY: An integer has no padding.
            unsafe impl AsBytes for $ty {}
        )*
    };
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

// SAFETY: Nothing but values of the type.
unsafe impl<T: FromBytes> FromBytes for [T] {}
// SAFETY: Nothing but values of the type.
unsafe impl<T: AsBytes> AsBytes for [T] {}
// SAFETY: Nothing but values of the type.
unsafe impl<T: FromBytes, const N: usize> FromBytes for [T; N] {}
// SAFETY: Nothing but values of the type.
unsafe impl<T: AsBytes, const N: usize> AsBytes for [T; N] {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let words = [0x0403_0201_u32.to_le(), 7];
        let bytes = words.as_bytes();
        assert_eq!(&bytes[..4], [1, 2, 3, 4]);
        assert_eq!(<[u32; 2]>::from_bytes(bytes), Some(&words));
        assert_eq!(u32::from_bytes(bytes), None);
        assert_eq!(u32::from_bytes(&bytes[1..5]), None);
    }
}
