// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions of one slot: the accessor with its fast path, the slow path, and the other
//! functions that the author asked for.

mod borrowed;

use super::super::{
    attributes, diverge, docs, hygiene,
    model::{
        Owner,
        Slot,
        Source,
        Work, //
    },
    names, target,
};
use super::{
    retire,
    tokens::tokens_at,
    views, //
};
use proc_macro2::{
    Span,
    TokenStream, //
};
use quote::{
    quote,
    quote_spanned,
    ToTokens, //
};
use std::iter;
use syn::{
    ext::IdentExt,
    spanned::Spanned,
    Expr,
    Ident,
    Lifetime,
    Path, //
};

/// Whose function it is, for the author's attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one that the field is documented by.
    Accessor,
    /// Another one that the author asked for.
    Public,
    /// One that only generated code calls.
    Private,
}

/// The parts of a function in front of its body.
struct Head<'a> {
    role: Role,
    docs: TokenStream,
    /// `#[inline]`, or nothing.
    inline: TokenStream,
    name: &'a Ident,
    /// The generics, parameters and return type.
    signature: TokenStream,
}

/// The functions of one slot.
pub(super) struct Functions<'a> {
    krate: &'a Path,
    slot: &'a Slot<'a>,
    /// `self` and `dev` as the author's expressions know them.
    this: Ident,
    dev: Ident,
    /// `dev` as other parts of the author's expression know it.
    other_devs: Vec<Ident>,
    /// The author's expressions.
    device: TokenStream,
    init: TokenStream,
    /// A lifetime that the struct does not use.
    lt: Lifetime,
    /// The local for the resource. The author's expressions are not in its scope.
    local: Ident,
    /// Whether the field's type is written as that of a view.
    is_view: bool,
    /// The right to populate the slot, hidden from the author's expressions.
    vacant: Ident,
    /// The place of a view, hidden from the author's expressions.
    place: Ident,
    /// The device that the owner's is compared with, hidden from the author's expressions.
    other: Ident,
    /// The owner in a closure that has nothing of the author's.
    owner_local: Ident,
    /// Whether a field of the owner is a view into it.
    owner_has_view: bool,
    /// The assertion that the target is `Send` and `Sync`, hidden from the author's expressions.
    assertion: Ident,
}

impl<'a> Functions<'a> {
    pub(super) fn new(model: &'a Owner<'_>, slot: &'a Slot<'_>) -> Self {
        let (device, init) = match &slot.work {
            Ok(work) => (
                work.device.to_token_stream(),
                match &work.source {
                    Source::Init(init) => init.to_token_stream(),
                    Source::Map(_) => TokenStream::new(),
                },
            ),
            Err(_) => Default::default(),
        };
        let site = hygiene::first(device.clone(), "self")
            .or_else(|| hygiene::first(init.clone(), "self"))
            .unwrap_or_else(Span::call_site);
        let dev = Ident::new("dev", hygiene::first(init.clone(), "dev").unwrap_or(site));
        let mut local = names::local(&slot.name.to_string());
        let of_view = views::place(slot, model);
        // If it does not deref to the target, rustc points at the target; or at the marker, if that
        // does not map anything.
        let at_target = Span::mixed_site().located_at(slot.target().span());
        local.set_span(of_view.unwrap_or(at_target));
        // Rustc points at the field; it is not the author who has named this.
        let mut assertion = names::local(&format!("{}_is_send_and_sync", slot.name.unraw()));
        assertion.set_span(Span::mixed_site().located_at(slot.name.span()));

        Self {
            krate: &model.krate,
            slot,
            this: Ident::new("self", site),
            other_devs: hygiene::strangers(init.clone(), "dev", dev.span()),
            dev,
            device: hygiene::with_self(device, site),
            init: hygiene::with_self(init, site),
            lt: names::fresh_lifetime(model.item),
            local,
            is_view: of_view.is_some(),
            vacant: names::local("slot"),
            place: names::local("place"),
            other: names::local("other"),
            owner_local: names::local("owner"),
            owner_has_view: model.has_view(),
            assertion,
        }
    }

    /// All functions of the slot, in order.
    pub(super) fn all(&self) -> TokenStream {
        let accessor = self.accessor();
        let private = self.slot.work.as_ref().ok().map(|work| {
            let (slow_path, device_is) = (self.slow_path(work), self.device_is());
            quote!(#slow_path #device_is)
        });
        let (peek, try_access) = (self.peek(), self.try_access());
        let (revoke, evict) = (self.revoke(), self.evict());

        quote!(#accessor #private #peek #try_access #revoke #evict)
    }

    /// A function of the author's: with a body that does its work, or one that compiles, if there
    /// was an error.
    fn function(&self, head: Head<'_>, body: TokenStream) -> TokenStream {
        let Head {
            role,
            docs,
            inline,
            name,
            signature,
        } = head;
        let attrs = self.attributes(docs, role);
        let vis = (role != Role::Private).then_some(&self.slot.accessor.vis);
        let header = quote_spanned!(here(name)=> #vis fn #name #signature);
        let body = match self.slot.work {
            Ok(_) => body,
            Err(_) => quote!(loop {}),
        };

        quote! {
            #attrs
            #inline
            #header {
                #body
            }
        }
    }

    /// The attributes of a function: the conditions of the field, documentation, and other
    /// attributes of the field.
    fn attributes(&self, docs: TokenStream, role: Role) -> TokenStream {
        let Slot {
            attrs, cfgs, lints, ..
        } = self.slot;
        let name = self.slot.accessor.name.unraw().to_string();
        let alias_for = (role == Role::Accessor).then_some(name.as_str());
        let (for_rustdoc, deprecations) = match role {
            Role::Accessor | Role::Public => (
                attributes::for_rustdoc(attrs, alias_for),
                attributes::deprecations(attrs),
            ),
            Role::Private => Default::default(),
        };

        quote!(#(#cfgs)* #docs #(#for_rustdoc)* #(#lints)* #(#deprecations)*)
    }

    /// The parameters of the accessor.
    fn params(&self) -> TokenStream {
        let Self {
            krate,
            this,
            dev,
            lt,
            ..
        } = self;
        let dev = match self.slot.work {
            Ok(_) => dev.to_token_stream(),
            // The function does nothing with `dev`.
            Err(_) => quote!(_),
        };

        quote!(&#lt #this, #dev: &#lt #krate::device::Device<#krate::device::Bound>)
    }

    /// The call that returns the resource, or a pin, if it is there.
    fn get(&self) -> TokenStream {
        let Self {
            krate, this, dev, ..
        } = self;
        let field = self.slot.name;
        if self.slot.borrowing.is_some() {
            return self.get_borrowed();
        }

        let slot_type = self.slot.slot_type();
        quote!(#krate::devres::#slot_type::get(&#this.#field, #dev))
    }

    /// The return type of an accessor: a reference to the target, or a pin.
    fn returned(&self) -> TokenStream {
        let Self { krate, lt, .. } = self;
        if self.slot.is_evictable {
            let target = target::plain(self.slot.target());
            return quote!(#krate::devres::LazyPin<#lt, #target>);
        }

        let target = match &self.slot.borrowing {
            Some(_) => self.borrowed_target(),
            None => target::referred(self.slot.target()),
        };
        quote!(&#lt #target)
    }

    /// The value that an accessor returns, from the local for the resource.
    fn lent(&self) -> TokenStream {
        let Self { krate, local, .. } = self;
        let target = target::plain(self.slot.target());
        if !self.slot.is_evictable {
            return self.dereferenced();
        }
        if target::is_same(&target, self.slot.resource) {
            return local.to_token_stream();
        }

        let part = self.dereferenced();
        quote!(#krate::devres::LazyPin::map::<#target>(#local, |#local| #part))
    }

    /// A reference to the target, from one to the resource.
    fn dereferenced(&self) -> TokenStream {
        let local = &self.local;
        let depth = match target::depth(self.slot.resource(), self.slot.target()) {
            // Rustc asks whether its marker maps anything where a view is dereferenced.
            0 if self.is_view => 1,
            depth => depth,
        };
        if depth == 0 {
            return local.to_token_stream();
        }

        // If there is nothing to dereference, rustc points where the local is; if what is behind
        // that is another type, at the target.
        let stars = iter::repeat_n(quote_spanned!(local.span()=> *), depth + 1);
        let at_target = Span::call_site().located_at(self.slot.target().span());
        quote_spanned!(at_target=> &#(#stars)* #local)
    }

    /// The accessor, with the fast path.
    fn accessor(&self) -> TokenStream {
        let Self {
            krate,
            this,
            dev,
            lt,
            local,
            ..
        } = self;
        let Slot { accessor, .. } = self.slot;
        let (returned, params) = (self.returned(), self.params());
        let (get, lent) = (self.get(), self.lent());
        let slow_path = accessor.slow_path();
        let head = Head {
            role: Role::Accessor,
            docs: docs::accessor(self.slot),
            inline: quote!(#[inline]),
            name: &accessor.name,
            signature: quote_spanned! {here(&accessor.name)=>
                <#lt>(#params) -> #krate::error::Result<#returned>
            },
        };

        self.function(
            head,
            quote! {
                if let ::core::option::Option::Some(#local) = #get {
                    return ::core::result::Result::Ok(#lent);
                }

                #this.#slow_path(#dev)
            },
        )
    }

    /// The slow path, in a function of its own so that the fast path is inlined without it.
    fn slow_path(&self, work: &Work) -> TokenStream {
        let Self { krate, lt, .. } = self;
        let (returned, params) = (self.returned(), self.params());
        let name = self.slot.accessor.slow_path();
        let head = Head {
            role: Role::Private,
            docs: docs::slow_path(self.slot),
            inline: quote!(#[cold] #[inline(never)]),
            name: &name,
            signature: quote_spanned! {here(&name)=>
                <#lt>(#params) -> #krate::error::Result<#returned>
            },
        };
        let assertion = self.assertion();
        let refuse_other_device = self.refuse_other_device();
        let populated = match &work.source {
            Source::Init(init) if self.slot.borrowing.is_some() => self.populate_borrowed(init),
            source => self.find_or_populate(source),
        };

        self.function(
            head,
            quote! {
                #assertion
                #refuse_other_device
                #populated
            },
        )
    }

    /// The code behind the check of the device: finds the slot populated, or populates it.
    fn find_or_populate(&self, source: &Source) -> TokenStream {
        let Self {
            krate,
            this,
            dev,
            local,
            vacant,
            ..
        } = self;
        let field = self.slot.name;
        let (slot_type, entry_type) = (self.slot.slot_type(), self.entry_type());
        let lent = self.lent();
        let populate = self.populate(source);
        let other_devs = self.other_devs();

        quote! {
            let #vacant = match #krate::devres::#slot_type::entry(&#this.#field, #dev)? {
                #krate::devres::#entry_type::Populated(#local) => {
                    return ::core::result::Result::Ok(#lent);
                }
                #krate::devres::#entry_type::Vacant(#vacant) => #vacant,
            };
            #(#other_devs)*
            let #local = #populate?;
            ::core::result::Result::Ok(#lent)
        }
    }

    /// The other names of the device, for the author's expression.
    fn other_devs(&self) -> impl Iterator<Item = TokenStream> + '_ {
        let dev = &self.dev;

        self.other_devs.iter().map(move |other| {
            // It may be the name of a field only, and is not unused then.
            quote! {
                let #other = #dev;
                let _ = #other;
            }
        })
    }

    /// A function that names the field in rustc's message if the target is not for all threads.
    /// Where it is the resource, `populate()` asks for that.
    fn assertion(&self) -> TokenStream {
        let target = target::plain(self.slot.target());
        if target::is_same(&target, self.slot.resource()) {
            return TokenStream::new();
        }

        let name = &self.assertion;
        let assert = quote_spanned!(target.span()=> #name::<#target>());

        quote! {
            const fn #name<T>()
            where
                T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
            {
            }
            #assert;
        }
    }

    /// The comparison of devices, in a function of its own: the author's expression does not see
    /// `dev` there, and may borrow from what it makes.
    fn device_is(&self) -> TokenStream {
        let Self {
            krate,
            this,
            other,
            device,
            ..
        } = self;
        let name = self.slot.accessor.device_is();
        let head = Head {
            role: Role::Private,
            docs: docs::device_is(),
            inline: TokenStream::new(),
            name: &name,
            signature: quote_spanned! {here(&name)=>
                (
                    &#this,
                    #other: &#krate::device::Device<#krate::device::Bound>,
                ) -> ::core::primitive::bool
            },
        };
        // If the author's expression is of another type, rustc points at the field as well.
        let at_field = here(self.slot.name);
        let krate = tokens_at(krate, at_field);
        let same_device = quote_spanned!(at_field=> #krate::devres::same_device);

        self.function(head, quote!(#same_device(#device, #other)))
    }

    /// Compares the owner's device with the caller's.
    fn refuse_other_device(&self) -> TokenStream {
        let Self {
            krate, this, dev, ..
        } = self;
        let device_is = self.slot.accessor.device_is();

        quote! {
            if !#this.#device_is(#dev) {
                return ::core::result::Result::Err(#krate::error::code::EINVAL);
            }
        }
    }

    /// Populates the vacant slot.
    ///
    /// Rustc points at what the author wrote, but lints and `forbid(unsafe_code)`, which are about
    /// the author's code, know that this is not.
    fn populate(&self, source: &Source) -> TokenStream {
        let Self { krate, this, .. } = self;

        let resource = self.slot.resource;
        // Rustc points at the field's type where the resource lacks a bound.
        let at_type = self.at_type();
        let krate_at_type = tokens_at(krate, at_type);
        let mut vacant_type = self.vacant_type();
        vacant_type.set_span(at_type);
        let vacant = quote_spanned!(at_type=> #krate_at_type::devres::#vacant_type);

        match source {
            Source::Init(expr) => {
                let here = Span::mixed_site().located_at(expr.span());
                let init = &self.init;
                // Of what would have been made, if nothing is.
                let init = if diverge::diverges(expr) {
                    // Rustc finds braces around a block unnecessary.
                    let body = match expr {
                        Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => {
                            init.clone()
                        }
                        _ => quote!({ #init }),
                    };
                    quote_spanned!(here=> || -> #krate::error::Result<#resource> #body)
                } else if diverge::is_ok(expr) {
                    // With the runtime's error, as nothing else says which one.
                    quote_spanned! {here=>
                        || ::core::result::Result::Ok::<#krate::error::Result<#resource>, _>(#init)
                    }
                } else {
                    quote_spanned!(here=> || ::core::result::Result::Ok(#init))
                };
                let populate = Ident::new("populate", at_type);
                // Rustc points at the slot where the expression makes another type.
                let slot = located(&self.vacant, here);
                quote_spanned! {here=>
                    #vacant::#populate(#slot, #init)
                }
            }
            Source::Map(marker) => {
                let here = Span::mixed_site().located_at(marker.span());
                let krate = tokens_at(krate, here);
                let populate_with = Ident::new("populate_with", at_type);
                let slot = located(&self.vacant, at_type);
                let place = &self.place;
                let referred = target::referred(marker);
                let slot_of_view = self.slot_of_view(&krate, here);
                quote_spanned! {here=>
                    #vacant::#populate_with(#slot, |#place| {
                        unsafe {
                            #krate::devres::OwnerView::<Self, #marker>::new(
                                #place,
                                #slot_of_view,
                                #this,
                                ::core::marker::PhantomData::<
                                    fn(
                                        &Self,
                                        &#referred,
                                        &dyn #krate::devres::LazyOwner,
                                        &dyn #krate::devres::TeardownFirst,
                                    )
                                >,
                            )
                        }
                    })
                }
            }
        }
    }

    /// The slot that a view is made for, as a pointer.
    fn slot_of_view(&self, krate: &TokenStream, here: Span) -> TokenStream {
        let (this, field) = (&self.this, self.slot.name);
        let slot = quote_spanned!(here=> &raw const #this.#field);
        if self.slot.is_evictable {
            return quote_spanned!(here=> #krate::devres::EvictableLazy::as_lazy(#slot));
        }

        slot
    }

    /// Where the field's type stands, for tokens that are not the author's.
    fn at_type(&self) -> Span {
        Span::mixed_site().located_at(self.slot.resource.span())
    }

    /// The name of the type that the slot's `entry()` returns.
    fn entry_type(&self) -> Ident {
        Ident::new(self.with_pin("Entry", "PinEntry"), Span::call_site())
    }

    /// The name of the right to populate the slot.
    fn vacant_type(&self) -> Ident {
        Ident::new(self.with_pin("Vacant", "PinVacant"), Span::call_site())
    }

    /// One of two names: for references, or for pins.
    fn with_pin(&self, reference: &'static str, pin: &'static str) -> &'static str {
        if self.slot.is_evictable {
            pin
        } else {
            reference
        }
    }

    /// `peek`: the fast path, and whose device it is.
    fn peek(&self) -> Option<TokenStream> {
        let name = self.slot.peek.as_ref()?;
        let Self {
            krate, lt, local, ..
        } = self;
        let (returned, params) = (self.returned(), self.params());
        let (get, lent) = (self.get(), self.lent());
        let head = Head {
            role: Role::Public,
            docs: docs::peek(self.slot),
            inline: TokenStream::new(),
            name,
            signature: quote_spanned! {here(name)=>
                <#lt>(
                    #params
                ) -> #krate::error::Result<::core::option::Option<#returned>>
            },
        };
        let refuse_other_device = self.refuse_other_device();

        Some(self.function(
            head,
            quote! {
                if let ::core::option::Option::Some(#local) = #get {
                    return ::core::result::Result::Ok(::core::option::Option::Some(#lent));
                }
                #refuse_other_device
                ::core::result::Result::Ok(::core::option::Option::None)
            },
        ))
    }

    /// `try_access`: the slot's own.
    fn try_access(&self) -> Option<TokenStream> {
        let name = self.slot.try_access.as_ref()?;
        let Self { krate, this, .. } = self;
        let Slot {
            name: field,
            resource,
            ..
        } = self.slot;
        let head = Head {
            role: Role::Public,
            docs: docs::try_access(self.slot),
            inline: quote!(#[inline]),
            name,
            signature: quote_spanned! {here(name)=>
                (&#this) -> ::core::option::Option<#krate::devres::LazyGuard<'_, #resource>>
            },
        };

        Some(self.function(
            head,
            quote!(#krate::devres::Lazy::try_access(&#this.#field)),
        ))
    }

    /// `revoke`: the slot's own.
    fn revoke(&self) -> Option<TokenStream> {
        let name = self.slot.revoke.as_ref()?;
        let Self { krate, this, .. } = self;
        let head = Head {
            role: Role::Public,
            docs: docs::revoke(self.slot),
            inline: TokenStream::new(),
            name,
            signature: quote_spanned!(here(name)=> (#this: ::core::pin::Pin<&mut Self>)),
        };
        let slot = retire::projected(
            quote!(#this),
            self.slot,
            self.owner_has_view,
            &self.owner_local,
        );
        let slot_type = self.slot.slot_type();

        Some(self.function(head, quote!(#krate::devres::#slot_type::revoke(#slot);)))
    }

    /// `evict`: the slot's own.
    fn evict(&self) -> Option<TokenStream> {
        let name = self.slot.evict.as_ref()?;
        let Self { krate, this, .. } = self;
        let field = self.slot.name;
        let head = Head {
            role: Role::Public,
            docs: docs::evict(self.slot),
            inline: TokenStream::new(),
            name,
            signature: quote_spanned! {here(name)=>
                (&#this) -> #krate::error::Result<::core::primitive::bool>
            },
        };

        Some(self.function(
            head,
            quote!(#krate::devres::EvictableLazy::evict(&#this.#field)),
        ))
    }
}

/// Where rustc points when it means the function called `name`, and not the whole attribute.
fn here(name: &Ident) -> Span {
    Span::call_site().located_at(name.span())
}

/// A local of ours, where rustc is to point at `span`.
fn located(local: &Ident, span: Span) -> Ident {
    let mut local = local.clone();
    local.set_span(span);
    local
}
