// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reference count that all types of GEM object share: a part of `rust/kernel/drm/gem/mod.rs`.

/// Implements [`AlwaysRefCounted`](crate::sync::aref::AlwaysRefCounted) for a type of GEM object,
/// by [`drm_gem_object_get`](crate::bindings::drm_gem_object_get) and
/// [`drm_gem_object_put`](crate::bindings::drm_gem_object_put).
///
/// Every value of the type has to be counted like that. Private to the `kernel` crate there.
///
/// # Examples
///
/// ```
/// use kernel::{
///     bindings, container_of,
///     drm::gem::{DriverObject, IntoGEMObject},
///     impl_aref_for_gem_obj,
///     types::Opaque,
/// };
///
/// #[repr(C)]
/// struct Object<T: DriverObject> {
///     obj: Opaque<bindings::drm_gem_object>,
///     inner: T,
/// }
///
/// impl<T: DriverObject> IntoGEMObject for Object<T> {
///     fn as_raw(&self) -> *mut bindings::drm_gem_object {
///         self.obj.get()
///     }
///
///     unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self {
///         // SAFETY: `self_ptr` is inside of a `Self`.
///         unsafe { &*container_of!(Opaque::cast_from(self_ptr), Self, obj) }
///     }
/// }
///
/// impl_aref_for_gem_obj! {
///     impl<T> for Object<T>
///     where
///         T: DriverObject
/// }
/// # fn counted<T: kernel::sync::aref::AlwaysRefCounted>() {}
/// # fn all_are<T: DriverObject>() { counted::<Object<T>>() }
/// ```
#[macro_export]
macro_rules! impl_aref_for_gem_obj {
    (
        impl $( <$( $param:ident ),+ $(,)?> )? for $object:ty
        $( where $( $bound:path : $by:path ),+ $(,)? )?
    ) => {
        // SAFETY: GEM objects are counted, and live until the last reference is put.
        unsafe impl $( <$( $param ),+> )? $crate::sync::aref::AlwaysRefCounted for $object
        where
            Self: $crate::drm::gem::IntoGEMObject,
            $( $( $bound: $by ),+ )?
        {
            fn inc_ref(&self) {
                let obj = <Self as $crate::drm::gem::IntoGEMObject>::as_raw(self);
                // SAFETY: `self` is alive, so that there is a reference to it.
                unsafe { $crate::bindings::drm_gem_object_get(obj) };
            }

            unsafe fn dec_ref(obj: ::core::ptr::NonNull<Self>) {
                // SAFETY: The caller has a reference, so that the object is alive.
                let this = unsafe { obj.as_ref() };
                let obj = <Self as $crate::drm::gem::IntoGEMObject>::as_raw(this);
                // SAFETY: The caller gives that reference up.
                unsafe { $crate::bindings::drm_gem_object_put(obj) };
            }
        }
    };
}
