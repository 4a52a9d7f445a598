// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Errors: negative `errno` values as a type.
//!
//! Stands for `rust/kernel/error.rs`. C headers: `include/uapi/asm-generic/errno-base.h`,
//! `include/uapi/asm-generic/errno.h`, `include/linux/errno.h` and `include/linux/err.h`.

use crate::{alloc::AllocError, str::CStr};
use core::{
    alloc::LayoutError,
    convert::Infallible,
    ffi::c_int,
    fmt,
    num::{NonZeroI32, TryFromIntError},
    ptr,
    str::Utf8Error,
};

/// The largest `errno` there is, `MAX_ERRNO` of `include/linux/err.h`.
const MAX_ERRNO: c_int = 4095;

/// Declares the constants of [`code`], and the function that finds the name of a number.
macro_rules! errnos {
    (
        $($name:ident = $number:literal,)*
        ; $($alias:ident = $of:ident,)*
    ) => {
        pub mod code {
            //! One constant for each `errno` of the C headers.

            use super::Error;

            $(
                #[doc = concat!("`", stringify!($name), "`, `errno` ", stringify!($number), ".")]
                pub const $name: Error = Error::known($number);
            )*
            $(
                #[doc = concat!("Another name of [`", stringify!($of), "`].")]
                pub const $alias: Error = $of;
            )*
        }

        /// Returns the name of a positive `errno`. Stands for `errname()`.
        const fn errname(errno: c_int) -> Option<&'static CStr> {
            match errno {
                $(
                    $number => match CStr::from_bytes_with_nul(
                        concat!(stringify!($name), "\0").as_bytes()
                    ) {
                        Ok(name) => Some(name),
                        Err(_) => None,
                    },
                )*
                _ => None,
            }
        }
    };
}

errnos! {
    // include/uapi/asm-generic/errno-base.h
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    ENOTBLK = 15,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ENOTTY = 25,
    ETXTBSY = 26,
    EFBIG = 27,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EMLINK = 31,
    EPIPE = 32,
    EDOM = 33,
    ERANGE = 34,

    // include/uapi/asm-generic/errno.h
    EDEADLK = 35,
    ENAMETOOLONG = 36,
    ENOLCK = 37,
    ENOSYS = 38,
    ENOTEMPTY = 39,
    ELOOP = 40,
    ENOMSG = 42,
    EIDRM = 43,
    ECHRNG = 44,
    EL2NSYNC = 45,
    EL3HLT = 46,
    EL3RST = 47,
    ELNRNG = 48,
    EUNATCH = 49,
    ENOCSI = 50,
    EL2HLT = 51,
    EBADE = 52,
    EBADR = 53,
    EXFULL = 54,
    ENOANO = 55,
    EBADRQC = 56,
    EBADSLT = 57,
    EBFONT = 59,
    ENOSTR = 60,
    ENODATA = 61,
    ETIME = 62,
    ENOSR = 63,
    ENONET = 64,
    ENOPKG = 65,
    EREMOTE = 66,
    ENOLINK = 67,
    EADV = 68,
    ESRMNT = 69,
    ECOMM = 70,
    EPROTO = 71,
    EMULTIHOP = 72,
    EDOTDOT = 73,
    EBADMSG = 74,
    EOVERFLOW = 75,
    ENOTUNIQ = 76,
    EBADFD = 77,
    EREMCHG = 78,
    ELIBACC = 79,
    ELIBBAD = 80,
    ELIBSCN = 81,
    ELIBMAX = 82,
    ELIBEXEC = 83,
    EILSEQ = 84,
    ERESTART = 85,
    ESTRPIPE = 86,
    EUSERS = 87,
    ENOTSOCK = 88,
    EDESTADDRREQ = 89,
    EMSGSIZE = 90,
    EPROTOTYPE = 91,
    ENOPROTOOPT = 92,
    EPROTONOSUPPORT = 93,
    ESOCKTNOSUPPORT = 94,
    EOPNOTSUPP = 95,
    EPFNOSUPPORT = 96,
    EAFNOSUPPORT = 97,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ENETUNREACH = 101,
    ENETRESET = 102,
    ECONNABORTED = 103,
    ECONNRESET = 104,
    ENOBUFS = 105,
    EISCONN = 106,
    ENOTCONN = 107,
    ESHUTDOWN = 108,
    ETOOMANYREFS = 109,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
    EALREADY = 114,
    EINPROGRESS = 115,
    ESTALE = 116,
    EUCLEAN = 117,
    ENOTNAM = 118,
    ENAVAIL = 119,
    EISNAM = 120,
    EREMOTEIO = 121,
    EDQUOT = 122,
    ENOMEDIUM = 123,
    EMEDIUMTYPE = 124,
    ECANCELED = 125,
    ENOKEY = 126,
    EKEYEXPIRED = 127,
    EKEYREVOKED = 128,
    EKEYREJECTED = 129,
    EOWNERDEAD = 130,
    ENOTRECOVERABLE = 131,
    ERFKILL = 132,
    EHWPOISON = 133,
    EFTYPE = 134,

    // include/linux/errno.h
    ERESTARTSYS = 512,
    ERESTARTNOINTR = 513,
    ERESTARTNOHAND = 514,
    ENOIOCTLCMD = 515,
    ERESTART_RESTARTBLOCK = 516,
    EPROBE_DEFER = 517,
    EOPENSTALE = 518,
    ENOPARAM = 519,
    EBADHANDLE = 521,
    ENOTSYNC = 522,
    EBADCOOKIE = 523,
    ENOTSUPP = 524,
    ETOOSMALL = 525,
    ESERVERFAULT = 526,
    EBADTYPE = 527,
    EJUKEBOX = 528,
    EIOCBQUEUED = 529,
    ERECALLCONFLICT = 530,
    ENOGRACE = 531,
    ;
    // Second names, of `include/uapi/asm-generic/errno.h`.
    EFSBADCRC = EBADMSG,
    EFSCORRUPTED = EUCLEAN,
}

/// An error, as the kernel gives it: a negative `errno`.
///
/// `{:?}` prints the bare name, so that a failed assertion reads `Err(EINVAL)`. On the host it is
/// a [`std::error::Error`] too, which makes `?` work in a test that returns any boxed error.
///
/// # Invariants
///
/// The number is at least -4095 (`-MAX_ERRNO`) and less than zero.
///
/// # Examples
///
/// ```
/// use kernel::error::{code::EINVAL, Error};
///
/// assert_eq!(Error::from_errno(-22), EINVAL);
/// assert_eq!(EINVAL.to_errno(), -22);
/// assert_eq!(format!("{EINVAL:?}, {EINVAL}"), "EINVAL, EINVAL (-22)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(NonZeroI32);

impl Error {
    /// Returns the error for a positive `errno` that is known when this is compiled.
    const fn known(errno: c_int) -> Self {
        match Self::try_from_errno(-errno) {
            Some(error) => error,
            None => panic!("not an errno"),
        }
    }

    /// Returns the error for a negative `errno`, or [`None`] if there is no such `errno`.
    const fn try_from_errno(errno: c_int) -> Option<Self> {
        if errno < -MAX_ERRNO || errno >= 0 {
            return None;
        }
        match NonZeroI32::new(errno) {
            // INVARIANT: The range was checked above.
            Some(errno) => Some(Self(errno)),
            None => None,
        }
    }

    /// Returns the error for `errno`, which is in `-4095..0`.
    ///
    /// Any other number is a bug of the caller: it is reported in the log, and the result is
    /// [`EINVAL`](code::EINVAL).
    pub fn from_errno(errno: c_int) -> Self {
        Self::try_from_errno(errno).unwrap_or_else(|| {
            crate::pr_warn!("{errno} is not a negative errno\n");
            code::EINVAL
        })
    }

    /// Returns the negative `errno`, in `-4095..0`.
    #[inline]
    pub fn to_errno(self) -> c_int {
        self.0.get()
    }

    /// Returns the error as a pointer that [`from_err_ptr()`] recognises. Stands for `ERR_PTR()`.
    #[inline]
    pub fn to_ptr<T>(self) -> *mut T {
        // CAST: Sign-extended, as C does: error pointers are the last 4095 addresses.
        ptr::without_provenance_mut(self.0.get() as isize as usize)
    }

    /// Returns the name of the constant, [`None`] if the number has none. Stands for `errname()`.
    pub fn name(&self) -> Option<&'static CStr> {
        errname(-self.0.get())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name().map(CStr::to_str) {
            Some(Ok(name)) => f.write_str(name),
            _ => f.debug_tuple("Error").field(&-self.0.get()).finish(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name().map(CStr::to_str) {
            Some(Ok(name)) => write!(f, "{name} ({})", self.0),
            _ => write!(f, "errno {}", self.0),
        }
    }
}

impl std::error::Error for Error {}

impl From<AllocError> for Error {
    #[inline]
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}

impl From<TryFromIntError> for Error {
    #[inline]
    fn from(_: TryFromIntError) -> Self {
        code::EINVAL
    }
}

impl From<Utf8Error> for Error {
    #[inline]
    fn from(_: Utf8Error) -> Self {
        code::EINVAL
    }
}

impl From<LayoutError> for Error {
    #[inline]
    fn from(_: LayoutError) -> Self {
        code::ENOMEM
    }
}

impl From<fmt::Error> for Error {
    #[inline]
    fn from(_: fmt::Error) -> Self {
        code::EINVAL
    }
}

impl From<Infallible> for Error {
    #[inline]
    fn from(error: Infallible) -> Self {
        match error {}
    }
}

/// The result of a function that may fail; by default `Result<(), Error>`.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// Turns what a C function returned, zero or positive if it succeeded, into a [`Result`].
///
/// # Errors
///
/// The error that a negative `err` stands for.
///
/// # Examples
///
/// ```
/// use kernel::error::{code::EIO, to_result};
///
/// assert_eq!(to_result(0), Ok(()));
/// assert_eq!(to_result(-5), Err(EIO));
/// ```
#[inline]
pub fn to_result(err: c_int) -> Result {
    if err < 0 {
        Err(Error::from_errno(err))
    } else {
        Ok(())
    }
}

/// Takes a pointer from a C function that returns an error as a pointer.
///
/// Stands for `IS_ERR()` and `PTR_ERR()`. A NULL pointer is not an error.
///
/// # Errors
///
/// The error that `ptr` encodes, if it is one of the last 4095 addresses.
///
/// # Examples
///
/// ```
/// use kernel::error::{code::ENOMEM, from_err_ptr};
///
/// let mut value = 3u8;
/// assert!(from_err_ptr(&raw mut value).is_ok());
/// assert_eq!(from_err_ptr(ENOMEM.to_ptr::<u8>()), Err(ENOMEM));
/// ```
#[inline]
pub fn from_err_ptr<T>(ptr: *mut T) -> Result<*mut T> {
    // CAST: The address as C's `long`; an error pointer is the sign-extended `errno`.
    let errno = ptr.addr() as isize;

    match c_int::try_from(errno).ok().and_then(Error::try_from_errno) {
        Some(error) => Err(error),
        None => Ok(ptr),
    }
}

#[cfg(test)]
mod tests {
    use super::{code::*, *};
    use crate::bindings::collect_printed;

    #[test]
    fn errno_and_back() {
        assert_eq!(Error::from_errno(-4095).to_errno(), -4095);
        assert_eq!(Error::from_errno(-1), EPERM);
        assert_eq!(ERECALLCONFLICT.to_errno(), -530);
        assert_eq!(EFSCORRUPTED, EUCLEAN);
    }

    #[test]
    fn a_number_that_is_no_errno_is_einval() {
        let (error, printed) = collect_printed(|| Error::from_errno(0));
        assert_eq!(error, EINVAL);
        assert_eq!(printed[0].text(), "kernel: 0 is not a negative errno");

        assert_eq!(Error::from_errno(1), EINVAL);
        assert_eq!(Error::from_errno(-4096), EINVAL);
        assert_eq!(Error::from_errno(c_int::MIN), EINVAL);
    }

    #[test]
    fn text() {
        let fails = || -> Result { Err(ENXIO) };

        assert_eq!(format!("{:?}", fails()), "Err(ENXIO)");
        assert_eq!(ENXIO.to_string(), "ENXIO (-6)");
        assert_eq!(EFSBADCRC.name(), Some(c"EBADMSG"));
        assert_eq!(format!("{:?}", Error::from_errno(-4000)), "Error(4000)");
        assert_eq!(Error::from_errno(-4000).to_string(), "errno -4000");
    }

    #[test]
    fn error_pointers() {
        for error in [EPERM, EIO, ERECALLCONFLICT, Error::from_errno(-4095)] {
            assert_eq!(from_err_ptr(error.to_ptr::<u64>()), Err(error));
        }
        assert_eq!(from_err_ptr(ptr::null_mut::<u8>()), Ok(ptr::null_mut()));

        // One below the range of error pointers.
        let last = ptr::without_provenance_mut::<u8>(4096usize.wrapping_neg());
        assert_eq!(from_err_ptr(last), Ok(last));
    }

    #[test]
    fn works_as_a_boxed_error() {
        fn fails() -> core::result::Result<(), Box<dyn std::error::Error>> {
            Err(Error::from(AllocError))?
        }
        assert_eq!(fails().unwrap_err().to_string(), "ENOMEM (-12)");
    }
}
