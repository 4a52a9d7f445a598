// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An annotated item, checked and complete: all that the expansion needs to know, in the words of
//! the design. Borrows from the item.

use super::{
    borrowing::Borrowing,
    diagnostics::Reported,
    target, //
};
use proc_macro2::Span;
use std::ptr;
use syn::{
    ext::IdentExt,
    Attribute,
    Expr,
    Field,
    Ident,
    Item,
    ItemImpl,
    ItemStruct,
    Path,
    Type,
    Visibility, //
};

/// The item below `#[devres_lazy]`.
pub(crate) enum Annotated<'a> {
    Owner(Owner<'a>),
    OwnDestructor(OwnDestructor<'a>),
    /// A struct that has been expanded already.
    Expanded(&'a Item, Reported),
    /// An item that the attribute does not belong on.
    Misplaced(&'a Item, Reported),
}

/// A struct with lazy fields: the *owner*.
pub(crate) struct Owner<'a> {
    /// Where the runtime is.
    pub(crate) krate: Path,
    pub(crate) item: &'a ItemStruct,
    /// The `cfg` conditions of the struct, carried onto all items generated beside it.
    pub(crate) cfgs: Vec<Attribute>,
    /// The lint levels of the struct, carried onto all items generated beside it.
    pub(crate) lints: Vec<Attribute>,
    pub(crate) destructor: Destructor,
    /// In order of declaration.
    pub(crate) slots: Vec<Slot<'a>>,
}

/// The writer of the owner's destructor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destructor {
    /// `#[pin_data]`: the macro writes it.
    Generated,
    /// `#[pin_data(PinnedDrop)]`: the author writes it, and completes it with `#[devres_lazy]`.
    Author,
    /// `#[pin_data]` stood above: there cannot be one any more.
    TooLate(Reported),
}

/// A lazy field: the storage for one resource.
pub(crate) struct Slot<'a> {
    pub(crate) name: &'a Ident,
    /// The field's type as written.
    pub(crate) resource: &'a Type,
    /// The types that the field's type stands for, if the resource borrows the device.
    pub(crate) borrowing: Option<Borrowing>,
    /// The field's attributes as written.
    pub(crate) attrs: &'a [Attribute],
    /// The `cfg` conditions of the field, carried onto all code made from the field.
    pub(crate) cfgs: Vec<Attribute>,
    /// The lint levels of the field, carried onto all code made from the field.
    pub(crate) lints: Vec<Attribute>,
    pub(crate) accessor: Accessor,
    /// The work of its functions. If an error was reported, the functions do nothing, and exist so
    /// that their callers compile.
    pub(crate) work: Result<Work, Reported>,
    pub(crate) peek: Option<Ident>,
    pub(crate) try_access: Option<Ident>,
    pub(crate) revoke: Option<Ident>,
    pub(crate) evict: Option<Ident>,
    /// Whether the author asks for `evict`, also where the function was reported and left out.
    pub(crate) is_evictable: bool,
}

/// `[vis] fn name [-> Target]`.
pub(crate) struct Accessor {
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) target: Option<Type>,
}

/// The author's expressions for the work of a field's functions.
pub(crate) struct Work {
    /// The device that the owner belongs to.
    pub(crate) device: Expr,
    pub(crate) source: Source,
}

/// The author's code that makes the resource.
pub(crate) enum Source {
    /// An initialiser.
    Init(Expr),
    /// A marker that maps and unmaps a view into the owner.
    Map(Type),
}

/// The author's own destructor of a struct with lazy fields.
pub(crate) struct OwnDestructor<'a> {
    /// Where the runtime is.
    pub(crate) krate: Path,
    pub(crate) item: &'a ItemImpl,
    /// The `cfg` conditions of the `impl`, carried onto the promise.
    pub(crate) cfgs: Vec<Attribute>,
}

impl Accessor {
    /// The name of the function that it leaves the slow path to.
    pub(crate) fn slow_path(&self) -> Ident {
        self.beside("slow")
    }

    /// The name of the function that compares the owner's device with another one.
    pub(crate) fn device_is(&self) -> Ident {
        self.beside("device_is")
    }

    /// The name of a private function beside it.
    fn beside(&self, what: &str) -> Ident {
        let name = self.name.unraw().to_string();
        // Rustc finds two underscores in a row bad style.
        let stem = name.trim_end_matches('_');

        Ident::new(&format!("{stem}_{what}"), self.name.span())
    }
}

impl Owner<'_> {
    /// Whether a field is a view into the owner.
    pub(crate) fn has_view(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.marker(&self.item.ident).is_some())
    }
}

impl Slot<'_> {
    /// Whether it is this field. Under different conditions, two have one name.
    pub(crate) fn is(&self, field: &Field) -> bool {
        ptr::eq(self.resource, &field.ty)
    }

    /// The type that the accessor returns a reference to.
    pub(crate) fn target(&self) -> &Type {
        self.accessor.target.as_ref().unwrap_or(self.resource())
    }

    /// The type of the resource.
    pub(crate) fn resource(&self) -> &Type {
        self.borrowing
            .as_ref()
            .map_or(self.resource, |borrowing| &borrowing.resource)
    }

    /// The name of the field's type.
    pub(crate) fn slot_type(&self) -> Ident {
        let name = if self.borrowing.is_some() {
            "LazyLt"
        } else if self.is_evictable {
            "EvictableLazy"
        } else {
            "Lazy"
        };

        Ident::new(name, Span::call_site())
    }

    /// The parameter of the slot's type: the resource, or the type that leaves out its lifetime.
    pub(crate) fn stored(&self) -> &Type {
        self.borrowing
            .as_ref()
            .map_or(self.resource, |borrowing| &borrowing.family)
    }

    /// Returns the marker of a field that is a view into `owner`. Where an error was reported, the
    /// annotation may lack it, and the field's type tells.
    pub(crate) fn marker(&self, owner: &Ident) -> Option<&Type> {
        match &self.work {
            Ok(work) => match &work.source {
                Source::Map(marker) => Some(marker),
                Source::Init(_) => None,
            },
            Err(_) => target::marker_of_view(self.resource, owner),
        }
    }
}
